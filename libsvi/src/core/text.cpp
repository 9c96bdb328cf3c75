#include "svi/core/text.hpp"

namespace svi {
namespace {

/// How many bytes the character takes that begins with `lead`; 0: none begins so.
std::size_t utf8_length(unsigned char lead) {
  return lead < 0x80   ? 1
         : lead < 0xC2 ? 0
         : lead < 0xE0 ? 2
         : lead < 0xF0 ? 3
         : lead < 0xF5 ? 4
                       : 0;
}

}  // namespace

std::size_t utf8_end(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::size_t at = 0;
  while (at < text.size()) {
    const auto length = utf8_length(byte(at));
    if (length == 0 || length > text.size() - at) return at;
    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(at + i) & 0xC0) != 0x80) return at;
    }
    // Longer forms than needed, halves of surrogate pairs, and what is above U+10FFFF.
    if ((byte(at) == 0xE0 && byte(at + 1) < 0xA0) || (byte(at) == 0xED && byte(at + 1) > 0x9F) ||
        (byte(at) == 0xF0 && byte(at + 1) < 0x90) || (byte(at) == 0xF4 && byte(at + 1) > 0x8F)) {
      return at;
    }
    at += length;
  }
  return at;
}

std::string lower_case(std::string_view text) {
  std::string small(text);
  for (char& c : small) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return small;
}

}  // namespace svi
