#include "sounding_light.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>
#include <svi/core/random.hpp>
#include <svi/data/clip_source.hpp>

namespace {

constexpr std::uint64_t kTrainSalt = 0x6c616d7074726e, kHeldOutSalt = 0x6c616d706c64;
constexpr std::int64_t kFeatures = 4;

/// A lamp in front of a dark ground, in every frame as bright as the sound is loud. How loud it is
/// depends on nothing that was before, so only the sound tells.
struct LampScene {
  std::uint64_t seed;
  std::int64_t index;

  svi::RandomKey key(std::uint32_t step) const {
    return {svi::derive_seed(seed, static_cast<std::uint64_t>(index)), svi::Purpose::data_content,
            0, step};
  }
  /// In [-1, 1].
  float loudness(std::int64_t frame) const {
    return static_cast<float>(2 * svi::uniform(key(static_cast<std::uint32_t>(frame + 1))) - 1);
  }
  float ground() const { return static_cast<float>(-0.9 + 0.3 * svi::uniform(key(0))); }

  /// [3, count, H, W]
  at::Tensor render(std::int64_t first, std::int64_t count, const svi::ClipShape& shape) const {
    auto video = at::full({3, count, shape.height, shape.width}, ground());
    for (std::int64_t t = 0; t < count; ++t) {
      video.select(1, t)
          .narrow(1, shape.height / 4, shape.height / 2)
          .narrow(2, shape.width / 4, shape.width / 2)
          .fill_(0.8F * loudness(first + t));
    }
    return video;
  }

  /// Features of the sound, [count, kFeatures]: loudness, its square, and two that tell nothing.
  svi::Tracks sound(std::int64_t count) const {
    auto features = at::empty({count, kFeatures});
    auto rows = features.accessor<float, 2>();
    for (std::int64_t t = 0; t < count; ++t) {
      const auto at_frame = key(static_cast<std::uint32_t>(t + 1));
      rows[t][0] = loudness(t);
      rows[t][1] = rows[t][0] * rows[t][0];
      for (std::uint32_t i = 2; i < kFeatures; ++i)
        rows[t][i] = static_cast<float>(2 * svi::uniform(at_frame, i) - 1);
    }
    svi::Tracks tracks;
    tracks.set("audio", features);
    return tracks;
  }
};

/// A world whose sound tells what its picture is.
class SoundingLight final : public svi::ClipSource {
 public:
  struct Config : svi::HeldOutScenes {
    void describe(svi::OptionVisitor& visit) { HeldOutScenes::describe(visit, "the sound"); }
  };

  explicit SoundingLight(Config config) : config_(config) {}

 private:
  LampScene held_out(std::int64_t index) const {
    return {svi::derive_seed(static_cast<std::uint64_t>(config_.held_out_seed), kHeldOutSalt),
            index};
  }

  svi::Clip do_training_clip(std::uint64_t seed, std::int64_t draw,
                             const svi::ClipShape& shape) const override {
    const LampScene scene{svi::derive_seed(seed, kTrainSalt), draw};
    return {scene.render(0, shape.frames, shape), scene.render(0, 1, shape).select(1, 0),
            "a lamp flickers", scene.sound(shape.frames)};
  }
  std::int64_t do_scene_count() const override { return config_.scenes; }
  svi::Scene do_scene(std::int64_t index, const svi::ClipShape& shape) const override {
    const auto scene = held_out(index);
    return {index,
            "lamp-" + std::to_string(index),
            scene.render(0, 1, shape).select(1, 0),
            {"a lamp flickers"},
            scene.sound(config_.frames)};
  }
  std::optional<at::Tensor> do_truth(std::int64_t index, std::int64_t first, std::int64_t count,
                                     const svi::ClipShape& shape) const override {
    return held_out(index).render(first, count, shape);
  }

  Config config_;
};

}  // namespace

void add_sounding_light(svi::Registrar& registrar) {
  registrar.add<svi::ClipSource, SoundingLight>(
      "sounding_light", "a lamp that is as bright as its sound is loud, every frame known");
}
