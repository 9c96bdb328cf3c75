#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <svi/core/random.hpp>
#include <svi/data/clip_source.hpp>
#include <svi/plugin/plugin.hpp>

namespace {

// Seeds of training clips and of held-out scenes never meet.
constexpr std::uint64_t kTrainSalt = 0x747261696e, kHeldOutSalt = 0x68656c64;

/// A bright stripe that moves to the right and comes back at the left.
struct MyComponentScene {
  double start = 0, speed = 0;  // shares of the frame's width; per frame
  float ground = 0;             // grey of the ground, in [-1, 1]

  /// [3, count, H, W]
  at::Tensor render(std::int64_t first, std::int64_t count, const svi::ClipShape& shape) const {
    auto video = at::full({3, count, shape.height, shape.width}, ground);
    const auto width = std::max<std::int64_t>(1, shape.width / 8);
    for (std::int64_t t = 0; t < count; ++t) {
      const double way = start + speed * static_cast<double>(first + t);
      const auto left =
          std::llround((way - std::floor(way)) * static_cast<double>(shape.width - width));
      video.select(1, t).narrow(2, left, width).fill_(0.8);
    }
    return video;
  }
};

/// A world whose every frame is known: a stripe that moves across a plain ground.
class MyComponent final : public svi::ClipSource {
 public:
  struct Config {
    double speed = 0.05;
    std::int64_t scenes = 1'000'000;

    void describe(svi::OptionVisitor& visit) {
      visit(speed, {.key = "speed",
                    .help = "how far the stripe moves",
                    .unit = "frame widths per frame",
                    .min = 0,
                    .max = 1});
      visit(scenes, {.key = "scenes", .help = "number of held-out scenes", .min = 1});
    }
  };

  explicit MyComponent(Config config) : config_(config) {}

 private:
  MyComponentScene scene_of(std::uint64_t seed, std::int64_t index) const {
    const svi::RandomKey key{seed, svi::Purpose::data_content, static_cast<std::uint32_t>(index),
                             static_cast<std::uint32_t>(index >> 32)};
    return {svi::uniform(key, 0), config_.speed,
            static_cast<float>(-0.9 + 0.6 * svi::uniform(key, 1))};
  }
  MyComponentScene held_out(std::int64_t index) const {
    return scene_of(svi::derive_seed(0, kHeldOutSalt), index);
  }

  svi::Clip do_training_clip(std::uint64_t seed, std::int64_t draw,
                             const svi::ClipShape& shape) const override {
    const auto scene = scene_of(svi::derive_seed(seed, kTrainSalt), draw);
    return {scene.render(0, shape.frames, shape), scene.render(0, 1, shape).select(1, 0),
            "a stripe moves to the right"};
  }
  std::int64_t do_scene_count() const override { return config_.scenes; }
  svi::Scene do_scene(std::int64_t index, const svi::ClipShape& shape) const override {
    return {index,
            "stripe-" + std::to_string(index),
            held_out(index).render(0, 1, shape).select(1, 0),
            {"a stripe moves to the right"}};
  }
  std::optional<at::Tensor> do_truth(std::int64_t index, std::int64_t first, std::int64_t count,
                                     const svi::ClipShape& shape) const override {
    return held_out(index).render(first, count, shape);
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("my_component", "0.1.0", registrar) {
  registrar.add<svi::ClipSource, MyComponent>("my_component",
                                              "a stripe that moves, every frame known");
}
