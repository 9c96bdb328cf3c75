#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/generate/prompt_file.hpp"
#include "svi/method/method.hpp"

namespace svi {

/// What one clip of a film is asked to show, and how it begins.
struct ClipOrder {
  std::string prompt;  // what the clip shows; between two prompts a blended_prompt
  std::optional<std::int64_t> seed = {};  // of its segment, where the prompt file gives one
  std::int64_t clip_of_segment = 0;       // from 0
  bool cut = false;                       // begins a new scene from `image`
  std::string image = {};                 // path, of a cut
};

/// A film's prompts laid out over its clips.
///
/// Where segments tell how long they last, they follow one another; the last one stays. Otherwise
/// the method decides which prompt a clip gets.
class SVI_EXPORT Storyboard {
 public:
  /// `clip_seconds`: how much film one clip adds. Borrows the method. Throws ConfigError where a
  /// blend is as long as its segment.
  Storyboard(std::vector<PromptSegment> segments, const Method& method, double clip_seconds);

  ClipOrder clip(std::int64_t index) const;  // index >= 0
  /// Clips that the segments ask for; nothing where none says how long it lasts.
  std::optional<std::int64_t> clips() const;
  /// Every prompt, each once.
  std::vector<std::string> prompts() const;

 private:
  std::vector<PromptSegment> segments_;
  const Method& method_;
  std::vector<std::int64_t> begins_;  // first clip of each segment; empty without lengths
  std::int64_t clips_ = 0;
};

}  // namespace svi
