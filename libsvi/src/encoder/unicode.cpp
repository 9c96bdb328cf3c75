#include "encoder/unicode.hpp"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#include <cstdint>
#include <vector>

#include "svi/core/check.hpp"

namespace svi::unicode {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

std::vector<UChar> to_utf16(const std::u32string& text) {
  std::vector<UChar> units;
  units.reserve(text.size() + 1);
  for (const char32_t c : text) {
    if (c > 0xFFFF) {
      units.push_back(static_cast<UChar>(0xD7C0 + (c >> 10)));
      units.push_back(static_cast<UChar>(0xDC00 + (c & 0x3FF)));
    } else {
      units.push_back(static_cast<UChar>(c));
    }
  }
  return units;
}

std::u32string from_utf16(const UChar* units, std::size_t size) {
  std::u32string text;
  for (std::size_t i = 0; i < size;) {
    UChar32 c = 0;
    U16_NEXT(units, i, size, c);
    text += static_cast<char32_t>(c);
  }
  return text;
}

}  // namespace

std::u32string decode(std::string_view utf8) {
  std::u32string text;
  text.reserve(utf8.size());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(utf8.data());
  for (std::size_t i = 0; i < utf8.size();) {
    UChar32 c = 0;
    U8_NEXT(bytes, i, utf8.size(), c);
    text += c < 0 ? kReplacement : static_cast<char32_t>(c);
  }
  return text;
}

std::string encode(std::u32string_view text) {
  std::string utf8;
  utf8.reserve(text.size());
  for (const char32_t raw : text) {
    const char32_t c =
        U_IS_UNICODE_CHAR(raw) || (raw <= 0x10FFFF && !U_IS_SURROGATE(raw)) ? raw : kReplacement;
    std::uint8_t bytes[U8_MAX_LENGTH];
    std::size_t size = 0;
    U8_APPEND_UNSAFE(bytes, size, static_cast<UChar32>(c));
    utf8.append(reinterpret_cast<const char*>(bytes), size);
  }
  return utf8;
}

std::u32string normalised(const std::u32string& text, bool compatible) {
  UErrorCode error = U_ZERO_ERROR;
  const auto* form = compatible ? unorm2_getNFKCInstance(&error) : unorm2_getNFCInstance(&error);
  SVI_CHECK(U_SUCCESS(error), "ICU has no normalisation data: ", u_errorName(error));
  const auto source = to_utf16(text);
  std::vector<UChar> target(source.size() * 3 + 16);
  const auto run = [&] {
    error = U_ZERO_ERROR;
    return unorm2_normalize(form, source.data(), static_cast<std::int32_t>(source.size()),
                            target.data(), static_cast<std::int32_t>(target.size()), &error);
  };
  auto size = run();
  if (error == U_BUFFER_OVERFLOW_ERROR) {
    target.resize(static_cast<std::size_t>(size) + 1);
    size = run();
  }
  SVI_CHECK(U_SUCCESS(error), "ICU: ", u_errorName(error));
  return from_utf16(target.data(), static_cast<std::size_t>(size));
}

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || u_charType(static_cast<UChar32>(c)) == U_SPACE_SEPARATOR || c == 0x2028 ||
         c == 0x2029;
}

char32_t from_windows_1252(char32_t c1) {
  static constexpr char32_t kTable[32] = {
      0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
      0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
      0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};
  return c1 >= 0x80 && c1 < 0xA0 ? kTable[c1 - 0x80] : c1;
}

}  // namespace svi::unicode
