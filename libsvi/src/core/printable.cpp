#include "svi/core/printable.hpp"

#include <cstdio>

namespace svi {
namespace {

std::string hex(const char* form, unsigned number) {
  char text[16];
  std::snprintf(text, sizeof text, form, number);
  return text;
}

}  // namespace

Utf8Character utf8_character(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at);
  if (first < 0x80) return {first, 1, true};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + size > text.size()) return {0, 1, false};
  char32_t code = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {0, 1, false};
    code = code << 6 | (byte(at + i) & 0x3F);
  }
  const char32_t smallest = size == 4 ? 0x10000 : size == 3 ? 0x800 : 0x80;
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < smallest || code > 0x10FFFF || surrogate) return {0, 1, false};
  return {code, size, true};
}

bool is_hidden(char32_t code) {
  const auto within = [&](char32_t first, char32_t last) { return code >= first && code <= last; };
  return code < 0x20 || within(0x7F, 0xA0) || code == 0xAD || within(0x200B, 0x200F) ||
         within(0x2028, 0x202F) || within(0x2060, 0x206F) || code == 0xFEFF;
}

std::string printable(std::string_view text, std::size_t most) {
  std::string shown;
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    if (count == most) return shown + "...";
    const auto character = utf8_character(text, at);
    if (!character.valid) {
      shown += hex("<0x%02X>", static_cast<unsigned char>(text[at]));
    } else if (is_hidden(character.code)) {
      shown += hex("<U+%04X>", static_cast<unsigned>(character.code));
    } else {
      shown += text.substr(at, character.size);
    }
    at += character.size;
  }
  return shown;
}

}  // namespace svi
