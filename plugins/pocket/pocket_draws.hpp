#pragma once

#include <cstdint>

#include "pocket/pocket_scene.hpp"
#include "svi/core/random.hpp"

namespace svi {

/// The numbers of one scene or storyline, in the order they are asked for.
class PocketDraws {
 public:
  explicit PocketDraws(const RandomKey& key) : key_(key) {}
  int below(int count) {
    return static_cast<int>(uniform_index(key_, static_cast<std::uint64_t>(count), next_++));
  }
  double between(double low, double high) { return low + (high - low) * uniform(key_, next_++); }

 private:
  RandomKey key_;
  std::uint32_t next_ = 0;
};

/// A shade of a colour: each of its channels moved by up to `reach`.
inline Rgb pocket_jittered(int colour, double reach, PocketDraws& draws) {
  auto shade = pocket_colour(colour);
  for (auto& channel : shade) {
    const double moved = static_cast<double>(channel) + draws.between(-reach, reach);
    channel = static_cast<float>(moved < 0.05 ? 0.05 : (moved > 0.95 ? 0.95 : moved));
  }
  return shade;
}

}  // namespace svi
