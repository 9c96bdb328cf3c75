#include "svi/core/terminal.hpp"

#include <sys/ioctl.h>

#include <array>
#include <cstdint>
#include <utility>

namespace svi {
namespace {

struct Character {
  char32_t code = 0;
  std::size_t bytes = 1;
};

/// The first character of `text`; a byte that begins none stands for itself.
Character first_of(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t bytes = lead < 0xC2   ? 1
                            : lead < 0xE0 ? 2
                            : lead < 0xF0 ? 3
                            : lead < 0xF5 ? 4
                                          : 1;
  if (bytes == 1 || bytes > text.size()) return {lead, 1};
  auto code = static_cast<char32_t>(lead & (0xFF >> (bytes + 1)));
  for (std::size_t i = 1; i < bytes; ++i)
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
  return {code, bytes};
}

template <std::size_t N>
bool is_in(char32_t code, const std::array<std::pair<char32_t, char32_t>, N>& ranges) {
  for (const auto& [first, last] : ranges) {
    if (code >= first && code <= last) return true;
  }
  return false;
}

// The blocks that terminals show wide, and those that add to the character before: coarse, and
// where in doubt too wide, so that a line never wraps.
int columns_of(char32_t code) {
  static constexpr std::array<std::pair<char32_t, char32_t>, 5> kNone = {
      {{0x0300, 0x036F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}}};
  static constexpr std::array<std::pair<char32_t, char32_t>, 10> kWide = {{{0x1100, 0x115F},
                                                                           {0x231A, 0x27BF},
                                                                           {0x2B1B, 0x2B55},
                                                                           {0x2E80, 0xA4CF},
                                                                           {0xAC00, 0xD7A3},
                                                                           {0xF900, 0xFAFF},
                                                                           {0xFE30, 0xFE6F},
                                                                           {0xFF00, 0xFF60},
                                                                           {0xFFE0, 0xFFE6},
                                                                           {0x1F000, 0x3FFFD}}};
  return is_in(code, kNone) ? 0 : is_in(code, kWide) ? 2 : 1;
}

}  // namespace

int terminal_columns(int descriptor, int fallback) {
  winsize window{};
  if (ioctl(descriptor, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) return fallback;
  return window.ws_col;
}

std::string fit_columns(std::string_view line, int columns) {
  constexpr int kDots = 3;
  std::size_t end = 0, short_end = 0;  // what fits, and what fits before the dots
  int used = 0;
  while (end < line.size()) {
    const auto next = first_of(line.substr(end));
    used += columns_of(next.code);
    if (used > columns) break;
    end += next.bytes;
    if (used <= columns - kDots) short_end = end;
  }
  if (end == line.size()) return std::string(line);
  return columns > 2 * kDots ? std::string(line.substr(0, short_end)) + "..."
                             : std::string(line.substr(0, end));
}

}  // namespace svi
