#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace svi::vision {

/// The tokenizer of CLIP (Radford et al. 2021, arXiv 2103.00020): pairs of bytes that are merged in
/// the order of OpenAI's table, bpe_simple_vocab_16e6.txt.gz. Texts are cleaned as clean_prompt()
/// does and made lower case first.
class ClipTokenizer {
 public:
  /// Reads the table, as it is published or unpacked. Throws IoError naming the file.
  explicit ClipTokenizer(const std::string& path);

  /// The ids of a text, without marks of start and end.
  std::vector<std::int64_t> encode(std::string_view text) const;
  /// Start, the ids, end; then zeros up to `length`. A longer text loses its end, never the mark.
  std::vector<std::int64_t> framed(std::string_view text, std::int64_t length) const;

  std::int64_t size() const { return end_ + 1; }  // 49408 with OpenAI's table
  std::int64_t start() const { return end_ - 1; }
  std::int64_t end() const { return end_; }

 private:
  struct Merge {
    std::int64_t rank, id;
  };
  void add_merges(const std::string& path, const std::vector<std::string>& lines);
  void add_word(std::string_view bytes, std::vector<std::int64_t>& ids) const;

  std::unordered_map<std::uint64_t, Merge> merges_;  // by both ids
  std::int64_t end_ = 0;
};

}  // namespace svi::vision
