#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace svi::vbench {

/// What is compared with its prompt.
enum class ConsistencyOf { film, clip };
inline std::vector<std::string> enum_names(ConsistencyOf) { return {"film", "clip"}; }

/// The middle frames of `count` equal parts of a film of so many frames, in order; the last one
/// again where there are fewer frames. None of a film of unknown length.
inline std::vector<std::int64_t> middle_frames(std::int64_t film_frames, std::int64_t count) {
  if (film_frames < 1) return {};
  const auto parts = std::min(film_frames, count);
  // As numpy.linspace: the step first, then its multiples, cut off.
  const double step = static_cast<double>(film_frames) / static_cast<double>(parts);
  const auto edge = [&](std::int64_t i) {
    return i == parts ? film_frames : static_cast<std::int64_t>(static_cast<double>(i) * step);
  };
  std::vector<std::int64_t> frames;
  for (std::int64_t i = 0; i < parts; ++i) frames.push_back((edge(i) + edge(i + 1) - 1) / 2);
  frames.resize(static_cast<std::size_t>(count), frames.back());
  return frames;
}

}  // namespace svi::vbench
