#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/generate/storyboard.hpp"

namespace svi {

/// A stretch of clips that are told the same.
struct TimeLineEntry {
  std::int64_t first_clip = 0, clips = 0;  // from 0; how many
  double begin = 0, end = 0;               // seconds of the film
  std::string how;                         // "start", "continue", "cut", "blend 1/3"
  std::string prompt;                      // of a blend: the one it leads to
  std::string image;                       // path, of a cut
  std::optional<std::int64_t> seed = {};   // of its segment
};

/// A film's storyboard laid out in time. `frames_before(clip)`: frames of the film before a clip.
SVI_EXPORT std::vector<TimeLineEntry> time_line(
    const Storyboard& storyboard, std::int64_t clips, double fps,
    const std::function<std::int64_t(std::int64_t)>& frames_before);

/// The time line as a table for a terminal, a line an entry; of very many the first ones.
SVI_EXPORT std::string time_line_text(const std::vector<TimeLineEntry>& entries);

/// The time line as an SVG picture that needs no other file: a cell an entry, with its times, its
/// prompt and, where a scene begins, the image. `image(entry)`: uint8 [3, H, W], undefined where
/// there is none.
SVI_EXPORT std::string contact_sheet(const std::string& title,
                                     const std::vector<TimeLineEntry>& entries,
                                     const std::function<at::Tensor(const TimeLineEntry&)>& image);

}  // namespace svi
