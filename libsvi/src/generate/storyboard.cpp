#include "svi/generate/storyboard.hpp"

#include <algorithm>
#include <cmath>

#include "svi/core/check.hpp"
#include "svi/generate/prompt_blend.hpp"

namespace svi {

Storyboard::Storyboard(std::vector<PromptSegment> segments, const Method& method,
                       double clip_seconds)
    : segments_(std::move(segments)), method_(method) {
  SVI_CHECK(!segments_.empty(), "a film needs a prompt");
  const auto says = [](const PromptSegment& segment) {
    return segment.seconds > 0 || segment.clips > 0 || segment.transition != Transition::proceed;
  };
  if (std::none_of(segments_.begin(), segments_.end(), says)) return;
  for (const auto& segment : segments_) {
    begins_.push_back(clips_);
    const auto by_time = std::llround(segment.seconds / clip_seconds);
    const auto told = segment.clips > 0 ? segment.clips : by_time;
    if (told > 0 && told <= segment.blend) {
      raise<ConfigError>(segment.origin, ": a blend of ", segment.blend, " clips in a segment of ",
                         told, " never arrives; make `blend` smaller or the segment longer");
    }
    clips_ += std::max<std::int64_t>(told, 1 + segment.blend);
  }
}

ClipOrder Storyboard::clip(std::int64_t index) const {
  if (begins_.empty()) {
    const auto prompt = method_.prompt_of(index, static_cast<std::int64_t>(segments_.size()));
    const auto& segment = segments_.at(static_cast<std::size_t>(prompt));
    return {.prompt = segment.prompt, .seed = segment.seed, .clip_of_segment = index};
  }
  const auto after = std::upper_bound(begins_.begin(), begins_.end(), index);
  const auto which = static_cast<std::size_t>(after - begins_.begin() - 1);
  const auto& segment = segments_[which];
  const auto within = index - begins_[which];
  const bool cut = segment.transition == Transition::cut && within == 0;
  const bool blends = which > 0 && within < segment.blend;
  const auto& before = segments_[which > 0 ? which - 1 : 0].prompt;
  return {.prompt = blends ? blended_prompt({before, segment.prompt, within + 1, segment.blend + 1})
                           : segment.prompt,
          .seed = segment.seed,
          .clip_of_segment = within,
          .cut = cut,
          .image = cut ? segment.image : std::string()};
}

std::optional<std::int64_t> Storyboard::clips() const {
  if (begins_.empty()) return std::nullopt;
  return clips_;
}

std::vector<std::string> Storyboard::prompts() const {
  std::vector<std::string> unique;
  for (const auto& segment : segments_) {
    if (std::find(unique.begin(), unique.end(), segment.prompt) == unique.end())
      unique.push_back(segment.prompt);
  }
  return unique;
}

}  // namespace svi
