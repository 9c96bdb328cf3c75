#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <svi/core/random.hpp>
#include <svi/data/clip_source.hpp>
#include <svi/plugin/plugin.hpp>
#include <vector>

namespace {

struct Colour {
  const char* name;
  std::array<float, 3> rgb;  // in [-1, 1]
};

constexpr std::array<Colour, 6> kColours = {{{"red", {0.7F, -0.7F, -0.7F}},
                                             {"green", {-0.7F, 0.5F, -0.6F}},
                                             {"blue", {-0.6F, -0.4F, 0.8F}},
                                             {"yellow", {0.8F, 0.7F, -0.7F}},
                                             {"white", {0.8F, 0.8F, 0.8F}},
                                             {"black", {-0.9F, -0.9F, -0.9F}}}};

constexpr std::uint64_t kTrainSalt = 0x737174726e, kHeldOutSalt = 0x7371686c64;

/// Position at time t of a point that moves at constant speed and bounces between 0 and 1.
double bounced(double start, double speed, double t) {
  const double way = std::fmod(std::abs(start + speed * t), 2.0);
  return way <= 1 ? way : 2 - way;
}

/// A square of one colour that bounces in front of another colour.
struct SquareScene {
  std::size_t ground = 0, square = 1;  // colours
  double x = 0, y = 0;                 // at frame 0, in [0, 1] over the room that there is
  double dx = 0, dy = 0;               // per frame
  double side = 0.3;                   // share of the frame's shorter side

  std::string prompt() const {
    return std::string("a ") + kColours[square].name + " square bounces in front of " +
           kColours[ground].name;
  }

  at::Tensor render(std::int64_t first, std::int64_t count, const svi::ClipShape& shape) const {
    const auto fill = [](const Colour& colour) {
      return at::tensor(at::ArrayRef<float>(colour.rgb)).view({3, 1, 1});
    };
    auto video = at::empty({3, count, shape.height, shape.width});
    video.copy_(fill(kColours[ground]).unsqueeze(1).expand_as(video));
    const auto size = std::max<std::int64_t>(
        1, std::llround(side * static_cast<double>(std::min(shape.height, shape.width))));
    for (std::int64_t t = 0; t < count; ++t) {
      const auto time = static_cast<double>(first + t);
      const auto place = [&](double start, double speed, std::int64_t length) {
        return std::llround(bounced(start, speed, time) * static_cast<double>(length - size));
      };
      video.select(1, t)
          .narrow(1, place(y, dy, shape.height), size)
          .narrow(2, place(x, dx, shape.width), size)
          .copy_(fill(kColours[square]).expand({3, size, size}));
    }
    return video;
  }
};

/// A tiny world whose every frame is known: a square that bounces in front of a plain ground.
class BouncingSquares final : public svi::ClipSource {
 public:
  struct Config {
    double speed = 0.06;
    double side = 0.3;
    std::int64_t scenes = 1'000'000;
    std::int64_t held_out_seed = 1;

    void describe(svi::OptionVisitor& visit) {
      visit(speed, {.key = "speed",
                    .help = "how far the square moves along each axis",
                    .unit = "shares of its room per frame",
                    .min = 0,
                    .max = 0.5});
      visit(side, {.key = "side",
                   .help = "side of the square as a share of the frame's shorter side",
                   .min = 0.05,
                   .max = 0.9});
      visit(scenes, {.key = "scenes", .help = "number of held-out scenes", .min = 1});
      visit(held_out_seed, {.key = "held_out_seed",
                            .help = "which held-out scenes; the same for all runs to be compared",
                            .min = 0});
    }
  };

  explicit BouncingSquares(Config config) : config_(config) {}

 private:
  SquareScene scene_of(std::uint64_t seed, std::int64_t index) const {
    const svi::RandomKey key{seed, svi::Purpose::data_content, static_cast<std::uint32_t>(index),
                             static_cast<std::uint32_t>(index >> 32)};
    SquareScene scene;
    scene.ground = svi::uniform_index(key, kColours.size(), 0);
    scene.square =
        (scene.ground + 1 + svi::uniform_index(key, kColours.size() - 1, 1)) % kColours.size();
    scene.x = svi::uniform(key, 2);
    scene.y = svi::uniform(key, 3);
    scene.dx = config_.speed;
    scene.dy = config_.speed * (0.5 + svi::uniform(key, 4));
    scene.side = config_.side;
    return scene;
  }

  SquareScene held_out(std::int64_t index) const {
    return scene_of(
        svi::derive_seed(static_cast<std::uint64_t>(config_.held_out_seed), kHeldOutSalt), index);
  }

  svi::Clip do_training_clip(std::uint64_t seed, std::int64_t draw,
                             const svi::ClipShape& shape) const override {
    const auto scene = scene_of(svi::derive_seed(seed, kTrainSalt), draw);
    const auto anchor = static_cast<std::int64_t>(
        svi::uniform_index({svi::derive_seed(seed, kTrainSalt), svi::Purpose::data_content,
                            static_cast<std::uint32_t>(draw), ~0U},
                           1000));
    return {scene.render(0, shape.frames, shape), scene.render(anchor, 1, shape).select(1, 0),
            scene.prompt()};
  }

  std::int64_t do_scene_count() const override { return config_.scenes; }

  svi::Scene do_scene(std::int64_t index, const svi::ClipShape& shape) const override {
    const auto scene = held_out(index);
    return {index,
            "squares-" + std::to_string(index),
            scene.render(0, 1, shape).select(1, 0),
            {scene.prompt()}};
  }

  std::optional<at::Tensor> do_truth(std::int64_t index, std::int64_t first, std::int64_t count,
                                     const svi::ClipShape& shape) const override {
    return held_out(index).render(first, count, shape);
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("bouncing_squares", "0.1.0", registrar) {
  registrar.add<svi::ClipSource, BouncingSquares>(
      "bouncing_squares", "a square that bounces in front of a plain ground, every frame known");
}
