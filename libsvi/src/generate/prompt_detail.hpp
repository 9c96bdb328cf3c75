#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/generate/prompt_file.hpp"

namespace svi::prompts {

/// Throws what is wrong at a line (from 1) of a file.
template <class... Parts>
[[noreturn]] void fail(const std::string& file, std::int64_t line, const Parts&... parts) {
  raise<ConfigError>(file, ":", line, ": ", parts...);
}

/// Without white space at either end.
std::string trimmed(std::string_view text);

/// A piece of a file as a message shows it: on one line, and not all of a long one.
std::string shown(std::string_view text);

/// The segments of a file as they are read. Refuses empty and overlong prompts, control characters
/// (which end paths and command terminals), and too many segments.
class Segments {
 public:
  explicit Segments(const std::string& file) : file_(file) {}

  const std::string& file() const { return file_; }
  /// `line`: where the segment begins; it becomes the segment's origin.
  void add(PromptSegment segment, std::int64_t line);
  bool empty() const { return segments_.empty(); }
  std::vector<PromptSegment> take() { return std::move(segments_); }

 private:
  void check_text(std::string_view key, const std::string& text, std::int64_t line) const;

  const std::string& file_;
  std::vector<PromptSegment> segments_;
};

/// Readers of one form each. Texts are UTF-8 with lines that end in LF.
void read_json(const std::string& text, Segments& segments);
void read_yaml(const std::string& text, Segments& segments);
/// `start`: behind `prompts =`.
void read_literal(const std::string& text, std::size_t start, Segments& segments);

}  // namespace svi::prompts
