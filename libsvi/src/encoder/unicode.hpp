#pragma once

#include <string>
#include <string_view>

namespace svi::unicode {

/// UTF-8 to code points; bytes that are not UTF-8, surrogates included, become U+FFFD.
std::u32string decode(std::string_view utf8);
/// Code points to UTF-8; surrogates become U+FFFD.
std::string encode(std::u32string_view text);

/// NFC, or NFKC.
std::u32string normalised(const std::u32string& text, bool compatible = false);

/// White space as Python's str.isspace has it.
bool is_space(char32_t c);

/// Like unescape_html, over code points. `strict`: only references that end in a semicolon, as ftfy
/// reads them, which also knows names in capitals (&EACUTE;).
std::u32string unescape(const std::u32string& text, bool strict);

/// One line with its mojibake decoded, as often as it was encoded.
std::u32string repair_mojibake(std::u32string line);

/// The character of a byte 0x80 to 0x9f in windows-1252, or the same number where it has none.
char32_t from_windows_1252(char32_t c1);

}  // namespace svi::unicode
