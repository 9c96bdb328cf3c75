#include "pocket/pocket_world.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <iomanip>
#include <numbers>

#include "pocket/pocket_draws.hpp"
#include "svi/core/random.hpp"

namespace svi {
namespace {

constexpr std::uint64_t kTrainSalt = 0x747261696e;  // "train"
constexpr std::uint64_t kHeldOutSalt = 0x68656c64;  // "held"

/// Four different colours: the bands from top to bottom, then the disc.
std::array<int, 4> draw_colours(PocketDraws& draws) {
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
  visit(story_clips,
        {.key = "story_clips",
         .help = "clips of a storyline: from clip to clip the held-out scene changes as "
                 "its prompt does, for methods with a prompt per clip; 1: one prompt",
         .unit = "clips",
         .min = 1,
         .max = 1e5});
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
  PocketDraws draws(scene_key(key, index, 0));
  PocketScene scene;
  const auto colours = draw_colours(draws);
  scene.prompt.bands = {colours[0], colours[1], colours[2]};
  scene.prompt.disc = colours[3];
  scene.prompt.layout = draws.below(kPocketLayouts);
  scene.prompt.rightward = draws.below(2) == 1;
  const auto reach = jitter_reach();
  for (std::size_t band = 0; band < 3; ++band) {
    scene.band_shades[band] = pocket_jittered(colours[band], reach, draws);
  }
  scene.disc_shade = pocket_jittered(colours[3], reach, draws);
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
  return {index, name.str(), still(scene, 0, shape), story(index, shape).prompts()};
}

double PocketWorld::jitter_reach() const { return config_.jitter * std::numbers::sqrt3; }

PocketStory PocketWorld::story(std::int64_t index, const ClipShape& shape) const {
  const auto seed = derive_seed(static_cast<std::uint64_t>(config_.held_out_seed), kHeldOutSalt);
  return {pocket_scene(Split::held_out, 0, index), config_.story_clips, shape.frames,
          jitter_reach(), scene_key(seed, index, 2)};
}

std::optional<at::Tensor> PocketWorld::do_truth(std::int64_t index, std::int64_t first,
                                                std::int64_t count, const ClipShape& shape) const {
  return story(index, shape).render(first, count, shape.height, shape.width);
}

}  // namespace svi
