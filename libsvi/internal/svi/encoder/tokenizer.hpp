#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// The SentencePiece tokenizer of umT5 (Kudo & Richardson 2018, arXiv 1808.06226), read from the
/// model folder's `spiece.model`.
///
/// For cleaned text (clean_prompt) the ids are those of Hugging Face's fast T5 tokenizer, which Wan
/// uses: the same pieces and normaliser (NFKC by SentencePiece's own table). Like it, a run of
/// characters without a piece is one `<unk>`, although the model file knows pieces for bytes.
/// Markers such as `</s>` and `<pad>` in a text are spelt out like any other words and never become
/// control symbols, so no prompt can end itself; Hugging Face reads them as symbols. Thread-safe.
class SVI_EXPORT Tokenizer {
 public:
  static constexpr std::int64_t kPadding = 0;  // id of the padding token

  /// Opens a `.model` file, or finds `google/umt5-xxl/spiece.model`, `tokenizer/spiece.model` or
  /// `spiece.model` in a folder. Throws IoError naming the file if it is missing or damaged.
  static Tokenizer open(const std::filesystem::path& path);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// The ids of the text and the end symbol, at most `length` in all: a longer text loses its end,
  /// never the end symbol. Any bytes may be given; invalid UTF-8 counts as U+FFFD. length >= 1.
  std::vector<std::int64_t> encode(std::string_view text, std::int64_t length = 512) const;

  /// How many bytes of the text `encode` reads with that length; all of them if it fits.
  std::size_t bytes_read(std::string_view text, std::int64_t length = 512) const;

  /// Number of ids the model file knows.
  std::int64_t size() const;
  std::int64_t end_id() const;  // id that ends a text
  /// SHA-256 of the model file, 64 hexadecimal digits.
  const std::string& hash() const;

 private:
  struct Content;
  explicit Tokenizer(std::unique_ptr<Content> content);
  std::unique_ptr<Content> content_;
};

}  // namespace svi
