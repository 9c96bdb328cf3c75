#include "pocket/pocket_world.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <iomanip>
#include <numbers>

#include "svi/core/random.hpp"

namespace svi {
namespace {

constexpr std::uint64_t kTrainSalt = 0x747261696e;  // "train"
constexpr std::uint64_t kHeldOutSalt = 0x68656c64;  // "held"

/// The numbers of one scene, in the order they are asked for.
class SceneDraws {
 public:
  explicit SceneDraws(const RandomKey& key) : key_(key) {}
  int below(int count) {
    return static_cast<int>(uniform_index(key_, static_cast<std::uint64_t>(count), next_++));
  }
  double between(double low, double high) { return low + (high - low) * uniform(key_, next_++); }

 private:
  RandomKey key_;
  std::uint32_t next_ = 0;
};

/// Four different colours: the bands from top to bottom, then the disc.
std::array<int, 4> draw_colours(SceneDraws& draws) {
  std::array<int, kPocketColours> deck;
  for (int i = 0; i < kPocketColours; ++i) deck[static_cast<std::size_t>(i)] = i;
  std::array<int, 4> colours;
  for (std::size_t i = 0; i < colours.size(); ++i) {
    const auto pick =
        i + static_cast<std::size_t>(draws.below(kPocketColours - static_cast<int>(i)));
    std::swap(deck[i], deck[pick]);
    colours[i] = deck[i];
  }
  return colours;
}

RandomKey scene_key(std::uint64_t seed, std::int64_t index, std::uint32_t part) {
  // Streams and steps have 32 bits each; the high half of the index goes into the seed.
  const auto wide = static_cast<std::uint64_t>(index);
  const auto high = wide >> 32;
  return {high == 0 ? seed : derive_seed(seed, high), Purpose::data_content,
          static_cast<std::uint32_t>(wide), part};
}

at::Tensor still(const PocketScene& scene, std::int64_t frame, const ClipShape& shape) {
  return scene.render(frame, 1, shape.height, shape.width).select(1, 0);  // [3, H, W]
}

}  // namespace

void PocketWorld::Config::describe(OptionVisitor& visit) {
  visit(jitter, {.key = "jitter",
                 .help = "standard deviation of each channel of a shade around its named colour "
                         "(uniform)",
                 .min = 0,
                 .max = 0.2});
  visit(texture, {.key = "texture",
                  .help = "amplitude of the bands' sinusoidal shading, as a share of the colour",
                  .min = 0,
                  .max = 0.3});
  visit(
      speed,
      {.key = "speed", .help = "speed of the disc", .unit = "widths/frame", .min = 0, .max = 0.25});
  visit(scenes, {.key = "scenes", .help = "number of held-out scenes", .min = 1});
  visit(held_out_seed,
        {.key = "held_out_seed",
         .help = "seed of the held-out scenes; use the same value in runs that you compare",
         .min = 0});
}

PocketWorld::PocketWorld(Config config) : config_(config) {}

PocketScene PocketWorld::pocket_scene(Split split, std::uint64_t seed, std::int64_t index) const {
  const auto key =
      split == Split::train
          ? derive_seed(seed, kTrainSalt)
          : derive_seed(static_cast<std::uint64_t>(config_.held_out_seed), kHeldOutSalt);
  SceneDraws draws(scene_key(key, index, 0));
  PocketScene scene;
  const auto colours = draw_colours(draws);
  scene.prompt.bands = {colours[0], colours[1], colours[2]};
  scene.prompt.disc = colours[3];
  scene.prompt.layout = draws.below(kPocketLayouts);
  scene.prompt.rightward = draws.below(2) == 1;
  const double reach = config_.jitter * std::numbers::sqrt3;  // uniform of that deviation
  const auto jittered = [&](int colour) {
    auto shade = pocket_colour(colour);
    for (auto& channel : shade) {
      const double moved = static_cast<double>(channel) + draws.between(-reach, reach);
      channel = static_cast<float>(std::clamp(moved, 0.05, 0.95));
    }
    return shade;
  };
  for (std::size_t band = 0; band < 3; ++band) scene.band_shades[band] = jittered(colours[band]);
  scene.disc_shade = jittered(colours[3]);
  scene.disc_x = draws.between(0, 1);
  scene.disc_y = draws.between(0.25, 0.75);
  scene.speed = config_.speed;
  scene.texture = config_.texture;
  return scene;
}

Clip PocketWorld::do_training_clip(std::uint64_t seed, std::int64_t draw,
                                   const ClipShape& shape) const {
  const auto scene = pocket_scene(Split::train, seed, draw);
  // The anchor of a rollout is the film's first image, many clips back: so the disc may be
  // anywhere.
  const double period = scene.speed > 0 ? std::ceil(1.0 / scene.speed) : 1.0;
  const auto moment = uniform_index(scene_key(derive_seed(seed, kTrainSalt), draw, 1),
                                    static_cast<std::uint64_t>(std::min(period, 1e6)));
  return {scene.render(0, shape.frames, shape.height, shape.width),
          still(scene, static_cast<std::int64_t>(moment), shape), scene.prompt.text()};
}

Scene PocketWorld::do_scene(std::int64_t index, const ClipShape& shape) const {
  const auto scene = pocket_scene(Split::held_out, 0, index);
  std::ostringstream name;
  name << "pocket-" << std::setw(4) << std::setfill('0') << index;
  return {index, name.str(), still(scene, 0, shape), {scene.prompt.text()}};
}

std::optional<at::Tensor> PocketWorld::do_truth(std::int64_t index, std::int64_t first,
                                                std::int64_t count, const ClipShape& shape) const {
  const auto scene = pocket_scene(Split::held_out, 0, index);
  return scene.render(first, count, shape.height, shape.width);
}

}  // namespace svi
