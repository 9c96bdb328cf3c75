#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

/// Where answers of servers are kept unless told otherwise: $XDG_CACHE_HOME/svi/stories, else
/// ~/.cache/svi/stories; empty where neither variable is set.
SVI_EXPORT std::filesystem::path default_story_cache();

/// Answers under the SHA-256 of their questions, a file each, so that the same question has the
/// same answer for ever.
///
/// A file appears whole or not at all and is checked when it is read: a damaged one counts as none,
/// with a warning. A folder that cannot be written costs a warning, nothing else.
class SVI_EXPORT AnswerCache {
 public:
  /// An empty path keeps nothing.
  explicit AnswerCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::optional<std::string> find(std::string_view question) const;  // the answer, if it is there
  void keep(std::string_view question, std::string_view answer) const;  // replaces an earlier one
  /// The file of a question's answer; empty without a folder.
  std::filesystem::path file_of(std::string_view question) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace svi
