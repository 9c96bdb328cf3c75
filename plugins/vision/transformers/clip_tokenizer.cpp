#include "vision/transformers/clip_tokenizer.hpp"

#include <unicode/uchar.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

#include "svi/core/check.hpp"
#include "svi/encoder/text_cleaning.hpp"

namespace svi::vision {
namespace {

constexpr std::size_t kMostMerges = 49152 - 256 - 2;  // of the table only so many are used
constexpr std::int64_t kBytes = 256;
constexpr std::size_t kLargestTable = std::size_t{64} << 20;
constexpr std::string_view kStartMark = "<|startoftext|>", kEndMark = "<|endoftext|>";
constexpr std::array<std::string_view, 7> kContractions = {"'s", "'t",  "'re", "'ve",
                                                           "'m", "'ll", "'d"};

/// The unpacked content of a file that may be packed.
std::string unpacked(const std::string& path) {
  auto* const file = gzopen(path.c_str(), "rb");
  if (file == nullptr) raise<IoError>(path, ": cannot be opened");
  std::string content;
  std::vector<char> part(1 << 16);
  int count = 0;
  while ((count = gzread(file, part.data(), static_cast<unsigned>(part.size()))) > 0 &&
         content.size() < kLargestTable) {
    content.append(part.data(), static_cast<std::size_t>(count));
  }
  gzclose(file);
  if (count != 0) raise<IoError>(path, ": is damaged, or no table of CLIP's tokenizer");
  return content;
}

bool prints(std::int64_t byte) {  // in Latin-1, and is no space
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) ||
         (byte >= 0xAE && byte <= 0xFF);
}

std::string utf8_of(std::int64_t c) {  // below U+0800
  if (c < 0x80) return {static_cast<char>(c)};
  return {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
}

/// How the table spells bytes: those that print as themselves in Latin-1, which come first, the
/// others as U+0100 and following.
struct Alphabet {
  std::array<std::int64_t, kBytes> id = {};       // of each byte
  std::array<std::string, kBytes> spelling = {};  // of each id

  Alphabet() {
    std::int64_t next = 0;
    for (const bool printing : {true, false}) {
      for (std::int64_t byte = 0, other = 0; byte < kBytes; ++byte) {
        if (prints(byte) != printing) continue;
        id[static_cast<std::size_t>(byte)] = next;
        spelling[static_cast<std::size_t>(next++)] = utf8_of(printing ? byte : kBytes + other);
        ++other;
      }
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet letters;
  return letters;
}

std::uint64_t pair_key(std::int64_t left, std::int64_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
}

std::u16string utf16_of(std::string_view text) {
  std::u16string wide(text.size() + 1, 0);
  std::int32_t length = 0;
  UErrorCode status = U_ZERO_ERROR;
  u_strFromUTF8WithSub(wide.data(), static_cast<std::int32_t>(wide.size()), &length, text.data(),
                       static_cast<std::int32_t>(text.size()), 0xFFFD, nullptr, &status);
  wide.resize(static_cast<std::size_t>(length));
  return wide;
}

std::string lower_case(std::string_view text) {
  const auto wide = utf16_of(text);
  std::u16string lower(3 * wide.size() + 1, 0);
  UErrorCode status = U_ZERO_ERROR;
  const auto units = u_strToLower(lower.data(), static_cast<std::int32_t>(lower.size()),
                                  wide.data(), static_cast<std::int32_t>(wide.size()), "", &status);
  std::string narrow(3 * static_cast<std::size_t>(units) + 1, 0);
  std::int32_t length = 0;
  u_strToUTF8(narrow.data(), static_cast<std::int32_t>(narrow.size()), &length, lower.data(), units,
              &status);
  narrow.resize(static_cast<std::size_t>(length));
  return narrow;
}

enum class LetterKind { letter, number, space, other };

LetterKind kind_of(UChar32 c) {
  const auto mask = U_GET_GC_MASK(c);
  if ((mask & U_GC_L_MASK) != 0) return LetterKind::letter;
  if ((mask & U_GC_N_MASK) != 0) return LetterKind::number;
  return u_isUWhiteSpace(c) != 0 ? LetterKind::space : LetterKind::other;
}

/// The code point at `at` of valid UTF-8, which moves behind it.
UChar32 next_letter(std::string_view text, std::size_t& at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  const std::size_t length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
  UChar32 c = length == 1 ? byte : byte & (0x7F >> length);
  for (std::size_t i = 1; i < length; ++i)
    c = c << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3F);
  at += length;
  return c;
}

/// The length of the next word of lower-case text: a mark, a contraction, a run of letters, one
/// digit, or a run of other signs. 0 for a space.
std::size_t word_length(std::string_view text) {
  for (const auto mark : {kStartMark, kEndMark})
    if (text.starts_with(mark)) return mark.size();
  for (const auto contraction : kContractions)
    if (text.starts_with(contraction)) return contraction.size();
  std::size_t end = 0;
  const auto kind = kind_of(next_letter(text, end));
  if (kind == LetterKind::space) return 0;
  if (kind == LetterKind::number) return end;
  for (auto next = end; next < text.size(); end = next) {
    if (kind_of(next_letter(text, next)) != kind) break;
  }
  return end;
}

}  // namespace

ClipTokenizer::ClipTokenizer(const std::string& path) {
  const auto content = unpacked(path);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < content.size() && lines.size() <= kMostMerges;) {
    const auto end = std::min(content.find('\n', at), content.size());
    lines.push_back(content.substr(at, end - at));
    at = end + 1;
  }
  if (lines.size() < 2) raise<IoError>(path, ": is no table of CLIP's tokenizer");
  lines.erase(lines.begin());  // its version
  add_merges(path, lines);
}

void ClipTokenizer::add_merges(const std::string& path, const std::vector<std::string>& lines) {
  std::unordered_map<std::string, std::int64_t> ids;
  for (std::int64_t i = 0; i < kBytes; ++i) {
    const auto& letter = alphabet().spelling[static_cast<std::size_t>(i)];
    ids[letter] = i;
    ids[letter + "</w>"] = kBytes + i;
  }
  const auto known = [&](const std::string& symbol) {
    const auto found = ids.find(symbol);
    if (found == ids.end())
      raise<IoError>(path, ": joins '", symbol, "', which no line before has made");
    return found->second;
  };
  std::int64_t next = 2 * kBytes;
  for (const auto& line : lines) {
    const auto space = line.find(' ');
    if (space == std::string::npos) raise<IoError>(path, ": '", line, "' are no two symbols");
    const auto left = line.substr(0, space), right = line.substr(space + 1);
    merges_[pair_key(known(left), known(right))] = {next - 2 * kBytes, next};
    ids[left + right] = next++;
  }
  end_ = next + 1;
}

void ClipTokenizer::add_word(std::string_view bytes, std::vector<std::int64_t>& ids) const {
  std::vector<std::int64_t> word;
  for (const char byte : bytes) word.push_back(alphabet().id[static_cast<unsigned char>(byte)]);
  word.back() += kBytes;  // the end of a word is a part of its last symbol
  while (word.size() > 1) {
    Merge best{std::numeric_limits<std::int64_t>::max(), 0};
    std::uint64_t pair = 0;
    for (std::size_t i = 0; i + 1 < word.size(); ++i) {
      const auto found = merges_.find(pair_key(word[i], word[i + 1]));
      if (found == merges_.end() || found->second.rank >= best.rank) continue;
      best = found->second;
      pair = found->first;
    }
    if (best.id == 0) break;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < word.size(); ++kept) {
      const bool fits = i + 1 < word.size() && pair_key(word[i], word[i + 1]) == pair;
      word[kept] = fits ? best.id : word[i];
      i += fits ? 2 : 1;
    }
    word.resize(kept);
  }
  ids.insert(ids.end(), word.begin(), word.end());
}

std::vector<std::int64_t> ClipTokenizer::encode(std::string_view text) const {
  const auto clean = lower_case(clean_prompt(text));
  std::vector<std::int64_t> ids;
  for (std::size_t at = 0; at < clean.size();) {
    const auto rest = std::string_view(clean).substr(at);
    const auto length = word_length(rest);
    const auto word = rest.substr(0, length);
    if (word == kStartMark) {
      ids.push_back(start());
    } else if (word == kEndMark) {
      ids.push_back(end());
    } else if (length > 0) {
      add_word(word, ids);
    }
    if (length > 0) {
      at += length;
    } else {
      next_letter(clean, at);
    }
  }
  return ids;
}

std::vector<std::int64_t> ClipTokenizer::framed(std::string_view text, std::int64_t length) const {
  std::vector<std::int64_t> ids = {start()};
  const auto words = encode(text);
  ids.insert(ids.end(), words.begin(), words.end());
  ids.push_back(end());
  const bool cut = static_cast<std::int64_t>(ids.size()) > length;
  ids.resize(static_cast<std::size_t>(length));
  if (cut) ids.back() = end();
  return ids;
}

}  // namespace svi::vision
