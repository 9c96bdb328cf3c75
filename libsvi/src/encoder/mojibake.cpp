#include <unicode/uchar.h>
#include <unicode/ucnv.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "encoder/unicode.hpp"
#include "svi/core/check.hpp"

namespace svi::unicode {
namespace {

// A single-byte encoding that UTF-8 text may have been read as.
struct Encoding {
  std::unordered_map<char32_t, std::uint8_t> bytes;  // of its characters from 0x80 on
  bool western = false;  // whether 0xc2 and 0xc3, which lead the UTF-8 of Western Europe's letters,
                         // are characters that seldom stand before a symbol
};

// Bytes without a character stand for the C1 control of the same number, as browsers have it.
Encoding make_encoding(const char* name, bool western) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UConverter, decltype(&ucnv_close)> converter(ucnv_open(name, &error),
                                                                     &ucnv_close);
  SVI_CHECK(U_SUCCESS(error), "ICU does not know ", name, ": ", u_errorName(error));
  Encoding made{.bytes = {}, .western = western};
  for (int byte = 0x80; byte < 0x100; ++byte) {
    const char source = static_cast<char>(byte);
    UChar target[4] = {};
    error = U_ZERO_ERROR;
    const auto size = ucnv_toUChars(converter.get(), target, 4, &source, 1, &error);
    const bool known = U_SUCCESS(error) && size == 1 && target[0] != 0xFFFD;
    made.bytes.emplace(known ? target[0] : byte, static_cast<std::uint8_t>(byte));
  }
  // ICU reads code page 437's micro sign as the Greek letter, most others as the sign.
  if (const auto mu = made.bytes.find(0x3BC); mu != made.bytes.end()) {
    made.bytes.emplace(0xB5, mu->second);
  }
  return made;
}

// windows-1252, whose C1 controls also stand for themselves: Latin-1 and it are often mixed.
const Encoding& windows_1252() {
  static const Encoding encoding = [] {
    auto made = make_encoding("windows-1252", true);
    for (int byte = 0x80; byte < 0xA0; ++byte) {
      made.bytes.emplace(byte, static_cast<std::uint8_t>(byte));
    }
    return made;
  }();
  return encoding;
}

// Those tried on whole lines only, the likelier first.
const std::vector<Encoding>& others() {
  static const std::vector<Encoding> encodings = {
      make_encoding("windows-1251", false), make_encoding("windows-1250", true),
      make_encoding("windows-1253", false), make_encoding("windows-1254", true),
      make_encoding("windows-1257", true),  make_encoding("ISO-8859-2", true),
      make_encoding("macintosh", true),     make_encoding("ibm-437", true)};
  return encodings;
}

// A stretch of a line that is one UTF-8 character in some encoding.
struct Sequence {
  char32_t character = 0;
  std::size_t size = 0;  // characters of the line
  bool strong = false;   // whether nobody would have meant these characters
};

bool is_lower(char32_t c) { return u_islower(static_cast<UChar32>(c)) != 0; }
bool is_upper(char32_t c) { return u_isupper(static_cast<UChar32>(c)) != 0; }

// Punctuation that follows a word at once.
bool ends_words(char32_t c) {
  return (c >= 0x2013 && c <= 0x201E) || c == 0x2026 || c == 0x203A || c == 0xBB;
}

// Whether text is likely to hold this character: assigned, not private, and not of the rare blocks
// (phonetic letters, modifiers) that a capital letter before a closing quote decodes to, but for
// Vietnamese letters and what windows-1252 makes of the bytes of text wrapped twice.
bool is_likely(char32_t c) {
  const auto type = u_charType(static_cast<UChar32>(c));
  if (type == U_UNASSIGNED || type == U_PRIVATE_USE_CHAR || type == U_SURROGATE) return false;
  for (const char32_t known : {0x192, 0x1A0, 0x1A1, 0x1AF, 0x1B0, 0x2C6, 0x2DC}) {
    if (c == known) return true;
  }
  return c < 0x180 || (c >= 0x370 && c < 0x700) || c >= 0x800;
}

bool is_strong(const std::u32string& line, std::size_t at, const Sequence& found, std::uint8_t lead,
               bool western) {
  if (found.size == 4) return true;
  const char32_t c = found.character;
  if (found.size == 3) {
    return (c >= 0x2000 && c < 0x2C00) || c == 0xFEFF || (c >= 0xFB00 && c < 0xFB07) || c == 0xFFFD;
  }
  if (western && (lead == 0xC2 || lead == 0xC3)) {
    // "FATĂ…" and "IRMÃ”" are words in capitals with their punctuation.
    return !(at > 0 && is_upper(line[at - 1]) && ends_words(line[at + 1]));
  }
  // A capital within a word: "zÅ‚oty".
  return at > 0 && is_lower(line[at - 1]) && is_upper(line[at]) && c < 0x180;
}

std::optional<Sequence> sequence_at(const std::u32string& line, std::size_t at,
                                    const Encoding& encoding) {
  const auto byte_at = [&](std::size_t i) -> std::uint8_t {
    if (i >= line.size()) return 0;
    const auto found = encoding.bytes.find(line[i]);
    return found == encoding.bytes.end() ? 0 : found->second;
  };
  const auto lead = byte_at(at);
  const std::size_t size = lead >= 0xC2 && lead < 0xE0   ? 2
                           : lead >= 0xE0 && lead < 0xF0 ? 3
                           : lead >= 0xF0 && lead < 0xF5 ? 4
                                                         : 0;
  if (size == 0) return std::nullopt;
  std::string utf8(1, static_cast<char>(lead));
  for (std::size_t i = 1; i < size; ++i) {
    const auto byte = byte_at(at + i);
    if (byte < 0x80 || byte >= 0xC0) return std::nullopt;
    utf8 += static_cast<char>(byte);
  }
  const auto decoded = decode(utf8);  // overlong forms and surrogates give several U+FFFD
  if (decoded.size() != 1 || !is_likely(decoded[0])) return std::nullopt;
  Sequence found{.character = decoded[0], .size = size};
  found.strong = is_strong(line, at, found, lead, encoding.western);
  return found;
}

// "Ã " is what is left of "à" where its second byte, a non-breaking space, became a plain one; not
// within capitals, where Portuguese writes it. The space stays if it ended the word.
std::size_t lost_a_grave(const std::u32string& line, std::size_t at) {
  if (line[at] != 0xC3 || at + 1 >= line.size()) return 0;
  const bool in_word = at > 0 && !is_space(line[at - 1]);
  if (in_word && !is_lower(line[at - 1])) return 0;
  if (line[at + 1] == 0xA0) return 2;
  if (line[at + 1] != ' ') return 0;
  const bool two = at + 2 < line.size() && line[at + 2] == ' ';
  return two ? 2 : 1;
}

// How much of a line is sequences of an encoding.
struct Evidence {
  std::size_t sequences = 0;
  bool convincing = false;  // a strong one, or two next to each other
  bool whole = true;        // every character beyond ASCII belongs to one
};

// Calls `visit(at, run, size, strong)` for each longest run of sequences, and `visit(at, {}, 1,
// false)` for each character that begins none.
template <class Visit>
void visit_runs(const std::u32string& line, const Encoding& encoding, const Visit& visit) {
  for (std::size_t i = 0; i < line.size();) {
    std::u32string run;
    std::size_t end = i;
    bool strong = false;
    while (end < line.size() && line[end] >= 0x80) {
      const auto found = sequence_at(line, end, encoding);
      if (!found) break;
      run += found->character;
      strong = strong || found->strong;
      end += found->size;
    }
    const auto size = std::max<std::size_t>(end - i, 1);
    visit(i, run, size, strong);
    i += size;
  }
}

Evidence weigh(const std::u32string& line, const Encoding& encoding) {
  Evidence evidence;
  visit_runs(line, encoding, [&](std::size_t at, const auto& run, std::size_t, bool strong) {
    evidence.sequences += run.size();
    evidence.convincing = evidence.convincing || strong || run.size() > 1;
    if (run.empty() && line[at] >= 0x80) evidence.whole = false;
  });
  return evidence;
}

// The whole line, if all of it is UTF-8 read in this encoding; else the line.
std::u32string decode_line(const std::u32string& line, const Encoding& encoding) {
  constexpr std::size_t kNoAccident = 3;  // sequences that convince by their number
  const auto evidence = weigh(line, encoding);
  if (!evidence.whole || !(evidence.convincing || evidence.sequences >= kNoAccident)) return line;
  std::u32string out;
  visit_runs(line, encoding, [&](std::size_t at, const auto& run, std::size_t, bool) {
    out += run.empty() ? line.substr(at, 1) : run;
  });
  return out;
}

// Only the runs that convince by themselves, and the others of a line that has several sequences.
std::u32string decode_runs(const std::u32string& line, const Encoding& encoding) {
  const auto evidence = weigh(line, encoding);
  const bool all = evidence.convincing && evidence.sequences > 2;
  std::u32string out;
  std::size_t skip_to = 0;
  visit_runs(line, encoding, [&](std::size_t at, const auto& run, std::size_t size, bool strong) {
    if (at < skip_to) return;
    if (!run.empty() && (strong || run.size() > 1 || all)) {
      out += run;
    } else if (const auto lost = lost_a_grave(line, at)) {
      out += U'\u00E0';
      skip_to = at + lost;
    } else {
      out += line.substr(at, size);
    }
  });
  return out;
}

}  // namespace

std::u32string repair_mojibake(std::u32string line) {
  constexpr int kRounds = 8;  // text is seldom wrapped more than twice
  for (int round = 0; round < kRounds; ++round) {
    if (std::all_of(line.begin(), line.end(), [](char32_t c) { return c < 0x80; })) break;
    auto next = decode_line(line, windows_1252());
    for (std::size_t i = 0; next == line && i < others().size(); ++i) {
      next = decode_line(line, others()[i]);
    }
    if (next == line) next = decode_runs(line, windows_1252());
    if (next == line) break;
    line = std::move(next);
  }
  return line;
}

}  // namespace svi::unicode
