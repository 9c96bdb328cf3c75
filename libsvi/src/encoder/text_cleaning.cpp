#include "svi/encoder/text_cleaning.hpp"

#include <algorithm>
#include <utility>

#include "encoder/unicode.hpp"

namespace svi {
namespace {

using unicode::is_space;

// What a character alone becomes: ligatures spelt out, quotes straight, full width narrow, line
// ends one kind, controls none. Null: itself.
const char32_t* replacement(char32_t c) {
  switch (c) {
    case 0x132:
      return U"IJ";
    case 0x133:
      return U"ij";
    case 0x149:
      return U"'n";
    case 0x1C4:
      return U"D\u017D";
    case 0x1C5:
      return U"D\u017E";
    case 0x1C6:
      return U"d\u017E";
    case 0x1C7:
      return U"LJ";
    case 0x1C8:
      return U"Lj";
    case 0x1C9:
      return U"lj";
    case 0x1CA:
      return U"NJ";
    case 0x1CB:
      return U"Nj";
    case 0x1CC:
      return U"nj";
    case 0x1F1:
      return U"DZ";
    case 0x1F2:
      return U"Dz";
    case 0x1F3:
      return U"dz";
    case 0xFB00:
      return U"ff";
    case 0xFB01:
      return U"fi";
    case 0xFB02:
      return U"fl";
    case 0xFB03:
      return U"ffi";
    case 0xFB04:
      return U"ffl";
    case 0xFB05:
      return U"\u017Ft";
    case 0xFB06:
      return U"st";
    case 0x2BC:
    case 0x2018:
    case 0x2019:
    case 0x201A:
    case 0x201B:
      return U"'";
    case 0x201C:
    case 0x201D:
    case 0x201E:
    case 0x201F:
      return U"\"";
    case 0x2028:
    case 0x2029:
      return U"\n";
    default:
      return nullptr;
  }
}

bool is_control(char32_t c) {
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r') || c == 0x7F ||
         (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

// Length of a terminal escape at `at`: ESC [, numbers and semicolons, a letter; 0 if there is none.
std::size_t escape_length(const std::u32string& text, std::size_t at) {
  if (at + 2 >= text.size() || text[at] != 0x1B || text[at + 1] != '[') return 0;
  std::size_t i = at + 2;
  while (i < text.size() && ((text[i] >= '0' && text[i] <= '9') || text[i] == ';')) ++i;
  const bool letter =
      i < text.size() && ((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z'));
  return letter ? i + 1 - at : 0;
}

std::u32string fix_characters(const std::u32string& text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (const auto length = escape_length(text, i)) {
      i += length - 1;
      continue;
    }
    const char32_t c = unicode::from_windows_1252(text[i]);
    if (c == '\r') {
      if (i + 1 >= text.size() || text[i + 1] != '\n') out += U'\n';
    } else if (const char32_t* other = replacement(c)) {
      out += other;
    } else if (c == 0x3000 || (c >= 0xFF01 && c <= 0xFFEF)) {
      out += unicode::normalised({c}, /*compatible=*/true);
    } else if (!is_control(c)) {
      out += c;
    }
  }
  return unicode::normalised(out);
}

// One line until nothing changes: what is decoded may have to be decoded again.
std::u32string fix_line(std::u32string line, bool entities) {
  constexpr int kRounds = 16;  // no text is wrapped so often; bounds the work on hostile input
  for (int round = 0; round < kRounds; ++round) {
    auto next = entities ? unicode::unescape(line, /*strict=*/true) : line;
    next = fix_characters(unicode::repair_mojibake(std::move(next)));
    if (next == line) break;
    line = std::move(next);
  }
  return line;
}

bool is_ascii_text(std::u32string_view line) {
  for (const char32_t c : line) {
    if (c >= 0x7F || (c < 0x20 && c != '\t' && c != '\n')) return false;
  }
  return true;
}

std::u32string fix_lines(const std::u32string& text) {
  std::u32string out;
  bool entities = true;
  for (std::size_t start = 0; start < text.size();) {
    const auto end = std::min(text.find(U'\n', start), text.size() - 1) + 1;
    auto line = text.substr(start, end - start);
    if (line.find(U'<') != std::u32string::npos) entities = false;  // the text is HTML itself
    const bool plain =
        is_ascii_text(line) && (!entities || line.find(U'&') == std::u32string::npos);
    out += plain ? line : fix_line(std::move(line), entities);
    start = end;
  }
  return out;
}

}  // namespace

std::string fix_text(std::string_view text) {
  return unicode::encode(fix_lines(unicode::decode(text)));
}

std::string clean_prompt(std::string_view text) {
  auto fixed = fix_lines(unicode::decode(text));
  for (int i = 0; i < 2; ++i) fixed = unicode::unescape(fixed, /*strict=*/false);
  std::u32string out;
  for (const char32_t c : fixed) {
    if (!is_space(c)) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += U' ';
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return unicode::encode(out);
}

}  // namespace svi
