#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "svi/data/clip_source.hpp"
#include "svi/method/film.hpp"

namespace svi {

/// Pixel frames of a film that is one stretch behind its image: C clips of T frames add T - 1 each.
inline std::int64_t stretch_frames(const ClipShape& shape, std::int64_t clips) {
  return clips * (shape.frames - 1) + 1;
}

/// The piece of such a film at `place`, made as number `number`: it adds `added` pixel frames, and
/// at place 0 the image's one.
inline Piece stretch_piece(std::int64_t number, std::int64_t place, std::int64_t added,
                           std::vector<std::string> prompts) {
  const bool first = place == 0;
  const auto frames = added + (first ? 1 : 0);
  return {.number = number,
          .place = place,
          .first_frame = first ? 0 : 1 + place * added,
          .decoded = frames,
          .frames = frames,
          .prompts = std::move(prompts)};
}

}  // namespace svi
