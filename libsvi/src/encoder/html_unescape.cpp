#include <unicode/uchar.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "encoder/unicode.hpp"
#include "svi/encoder/text_cleaning.hpp"

namespace svi {
namespace unicode {
namespace {

constexpr std::pair<std::string_view, std::string_view> kEntities[] = {
#include "encoder/html_entities.inc"
};

// The text of a named reference, without its &; null if there is none of that name.
const std::string_view* find_entity(std::string_view name) {
  const auto* found =
      std::lower_bound(std::begin(kEntities), std::end(kEntities), name,
                       [](const auto& entry, auto key) { return entry.first < key; });
  return found != std::end(kEntities) && found->first == name ? &found->second : nullptr;
}

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_hex(char32_t c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// A numeric reference's character by the HTML standard; some numbers stand for nothing at all.
std::u32string numbered(std::uint32_t number) {
  constexpr char32_t kReplacement = 0xFFFD;
  if (number == 0 || number > 0x10FFFF || (number >= 0xD800 && number <= 0xDFFF)) {
    return {kReplacement};
  }
  if (number >= 0x80 && number < 0xA0) return {from_windows_1252(number)};
  const bool control =
      (number < 0x20 && number != 9 && number != 10 && number != 12 && number != 13) ||
      number == 0x7F;
  const bool never_a_character =
      (number & 0xFFFE) == 0xFFFE || (number >= 0xFDD0 && number <= 0xFDEF);
  return control || never_a_character ? std::u32string() : std::u32string{number};
}

// Reads the number after `&#` at `at` and moves past it and its semicolon. False if there is none.
bool read_number(const std::u32string& text, std::size_t& at, bool strict, std::u32string& result) {
  constexpr std::uint32_t kTooLarge = 0x110000;
  std::size_t i = at;
  const bool hex = i < text.size() && (text[i] == 'x' || text[i] == 'X');
  if (hex) ++i;
  const std::size_t first = i;
  std::uint32_t number = 0;
  for (; i < text.size() && (hex ? is_hex(text[i]) : is_digit(text[i])); ++i) {
    const std::uint32_t digit = is_digit(text[i]) ? text[i] - '0' : (text[i] | 0x20U) - 'a' + 10;
    number = std::min(kTooLarge, number * (hex ? 16 : 10) + digit);
  }
  if (i == first) return false;
  const bool ended = i < text.size() && text[i] == ';';
  constexpr std::size_t kLongest = 24;  // of what ftfy takes for a reference
  if (strict && (!ended || i - at > kLongest)) return false;
  result = numbered(number);
  at = i + (ended ? 1 : 0);
  return true;
}

// &EACUTE; is no entity, but what shouting makes of one.
bool read_capitals(const std::string& name, std::u32string& result) {
  std::string lower = name;
  for (char& c : lower) {
    if (c >= 'a' && c <= 'z') return false;
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  const auto* value = find_entity(lower);
  if (value == nullptr) return false;
  result = decode(*value);
  for (auto& c : result) c = static_cast<char32_t>(u_toupper(static_cast<UChar32>(c)));
  return true;
}

// Reads the name after `&` at `at` and moves past what of it is a reference.
bool read_name(const std::u32string& text, std::size_t& at, bool strict, std::u32string& result) {
  constexpr std::size_t kLongest = 32;  // of the names
  std::string name;
  std::size_t i = at;
  for (; i < text.size() && name.size() < kLongest; ++i) {
    if (text[i] >= 0x80 || !u_isalnum(static_cast<UChar32>(text[i]))) break;
    name += static_cast<char>(text[i]);
  }
  if (i < text.size() && text[i] == ';') name += ';';
  if (const auto* value = find_entity(name); value != nullptr && (!strict || name.back() == ';')) {
    result = decode(*value);
    at += name.size();
    return true;
  }
  if (strict) {
    if (name.empty() || name.back() != ';' || !read_capitals(name, result)) return false;
    at += name.size();
    return true;
  }
  for (std::size_t size = name.size(); size-- > 2;) {
    if (const auto* value = find_entity(std::string_view(name).substr(0, size))) {
      result = decode(*value);
      at += size;
      return true;
    }
  }
  return false;
}

}  // namespace

std::u32string unescape(const std::u32string& text, bool strict) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size();) {
    std::u32string character;
    std::size_t after = i + 1;
    bool found = false;
    if (text[i] == '&' && after < text.size()) {
      found = text[after] == '#' ? read_number(text, ++after, strict, character)
                                 : read_name(text, after, strict, character);
    }
    if (found) {
      out += character;
      i = after;
    } else {
      out += text[i++];
    }
  }
  return out;
}

}  // namespace unicode

std::string unescape_html(std::string_view text) {
  return unicode::encode(unicode::unescape(unicode::decode(text), /*strict=*/false));
}

}  // namespace svi
