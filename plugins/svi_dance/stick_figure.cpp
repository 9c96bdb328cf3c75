#include "stick_figure.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <optional>
#include <string>
#include <svi/core/random.hpp>
#include <svi/data/clip_source.hpp>
#include <svi/model/condition.hpp>
#include <vector>

#include "skeleton/skeleton.hpp"

namespace {

using svi::skeleton::Person;
using svi::skeleton::Point;

constexpr std::uint64_t kTrainFigures = 0x666967747261696e, kHeldOutFigures = 0x6669676865646c64;
constexpr double kFigureFps = 25;

/// A swing: middle + size sin(2 pi (rate t + phase)), in radians, t in seconds.
struct Swing {
  double middle = 0, size = 0, rate = 0, phase = 0;

  double at(double seconds) const {
    return middle + size * std::sin(2 * std::numbers::pi * (rate * seconds + phase));
  }
};

/// A person who moves in front of a ground: the swings of the limbs tell where each joint is.
struct Figure {
  double x = 0, y = 0, size = 0;                  // of the hips, in shares of the picture
  Swing lean, step;                               // of the trunk; from side to side
  std::array<Swing, 8> limbs;                     // upper, lower: right, left arm; right, left leg
  std::vector<double> ground, skin, shirt, legs;  // [3] in [-1, 1]

  Point joint(const Point& from, double angle, double length) const {  // 0: straight down
    return {from.x + size * length * std::sin(angle), from.y + size * length * std::cos(angle),
            true};
  }

  Person pose(double seconds) const {
    Person person;
    auto& at = person.body;
    const Point hips = {x + step.at(seconds), y, true};
    const double tilt = lean.at(seconds), across = tilt + std::numbers::pi / 2;
    at[1] = joint(hips, tilt + std::numbers::pi, 0.34);
    at[0] = joint(at[1], tilt + std::numbers::pi, 0.14);
    for (std::size_t side = 0; side < 2; ++side) {
      const double out = side == 0 ? -1 : 1;  // the person's right is on the left
      const auto arm = 2 + 3 * side, leg = 8 + 3 * side;
      const auto& swing = limbs;
      at[arm] = joint(at[1], across, out * 0.11);
      at[arm + 1] = joint(at[arm], out * swing[2 * side].at(seconds), 0.18);
      at[arm + 2] = joint(at[arm + 1], out * swing[2 * side + 1].at(seconds), 0.17);
      at[leg] = joint(hips, across, out * 0.07);
      at[leg + 1] = joint(at[leg], out * swing[4 + 2 * side].at(seconds), 0.21);
      at[leg + 2] = joint(at[leg + 1], out * swing[5 + 2 * side].at(seconds), 0.2);
    }
    return person;
  }

  /// [3, count, H, W]
  at::Tensor render(std::int64_t first, std::int64_t count, double fps,
                    const svi::ClipShape& shape) const;
};

at::Tensor rgb(const std::vector<double>& colour) {
  return at::tensor(colour, at::kFloat).view({3, 1, 1});
}

/// What limbs look like: thick strokes with soft edges.
class Painter {
 public:
  explicit Painter(const svi::ClipShape& shape)
      : height_(static_cast<double>(shape.height)),
        width_(static_cast<double>(shape.width)),
        down_((at::arange(shape.height) + 0.5).view({-1, 1})),
        right_((at::arange(shape.width) + 0.5).view({1, -1})) {}

  double side() const { return std::min(height_, width_); }

  /// A stroke of that radius in pixels over `picture`, [3, H, W].
  at::Tensor stroke(const at::Tensor& picture, const Point& from, const Point& to, double radius,
                    const at::Tensor& colour) const {
    const double x = from.x * width_, y = from.y * height_;
    const double dx = to.x * width_ - x, dy = to.y * height_ - y;
    const double square = std::max(dx * dx + dy * dy, 1e-9);
    const auto along = (((right_ - x) * dx + (down_ - y) * dy) / square).clamp(0, 1);
    const auto far =
        ((right_ - x - along * dx).square() + (down_ - y - along * dy).square()).sqrt();
    const auto cover = (radius - far + 0.5).clamp(0, 1);  // [H, W]
    return picture * (1 - cover) + colour * cover;
  }

 private:
  double height_, width_;
  at::Tensor down_, right_;
};

at::Tensor Figure::render(std::int64_t first, std::int64_t count, double fps,
                          const svi::ClipShape& shape) const {
  const Painter painter(shape);
  const double unit = size * painter.side();
  std::vector<at::Tensor> frames;
  for (std::int64_t t = first; t < first + count; ++t) {
    const auto body = pose(static_cast<double>(t) / fps).body;
    auto picture = rgb(ground).expand({3, shape.height, shape.width});
    for (const std::size_t leg : {8U, 11U}) {
      picture = painter.stroke(picture, body[leg], body[leg + 1], 0.055 * unit, rgb(legs));
      picture = painter.stroke(picture, body[leg + 1], body[leg + 2], 0.045 * unit, rgb(legs));
    }
    const Point hips = {(body[8].x + body[11].x) / 2, (body[8].y + body[11].y) / 2, true};
    picture = painter.stroke(picture, body[1], hips, 0.1 * unit, rgb(shirt));
    for (const std::size_t arm : {2U, 5U}) {
      picture = painter.stroke(picture, body[arm], body[arm + 1], 0.045 * unit, rgb(shirt));
      picture = painter.stroke(picture, body[arm + 1], body[arm + 2], 0.04 * unit, rgb(skin));
    }
    frames.push_back(painter.stroke(picture, body[0], body[0], 0.09 * unit, rgb(skin)));
  }
  return at::stack(frames, 1);
}

/// The skeletons of a figure, drawn as they are asked for.
class FigurePoses final : public svi::TrackReader {
 public:
  FigurePoses(Figure figure, std::int64_t frames, double fps, const svi::ClipShape& shape)
      : figure_(std::move(figure)), frames_(frames), fps_(fps), shape_(shape) {}

  std::int64_t frames() const override { return frames_; }
  at::Tensor read(std::int64_t first, std::int64_t count) const override {
    std::vector<at::Tensor> drawn;
    for (std::int64_t t = first; t < first + count; ++t) {
      drawn.push_back(svi::skeleton::draw_for_film(figure_.pose(static_cast<double>(t) / fps_),
                                                   shape_.height, shape_.width));
    }
    return at::stack(drawn);
  }

 private:
  Figure figure_;
  std::int64_t frames_;
  double fps_;
  svi::ClipShape shape_;
};

/// People who dance: the skeleton alone tells how they move, and every frame is known.
class StickFigure final : public svi::ClipSource {
 public:
  struct Config : svi::HeldOutScenes {
    void describe(svi::OptionVisitor& visit) { HeldOutScenes::describe(visit, "the poses"); }
  };

  explicit StickFigure(Config config) : config_(config) {}

 private:
  static Figure figure_of(std::uint64_t seed) {
    std::uint32_t next = 0;
    const svi::RandomKey key{seed, svi::Purpose::data_content, 0, 0};
    const auto between = [&](double low, double high) {
      return low + (high - low) * svi::uniform(key, next++);
    };
    const auto swing = [&](double low, double high, double size) {
      return Swing{between(low, high), between(0.5, 1) * size, between(0.4, 1.6), between(0, 1)};
    };
    Figure figure;
    figure.x = between(0.42, 0.58);
    figure.y = between(0.5, 0.56);
    figure.size = between(0.85, 1);
    figure.lean = swing(-0.1, 0.1, 0.2);
    figure.step = swing(-0.02, 0.02, 0.06);
    for (std::size_t i = 0; i < 4; ++i) figure.limbs[i] = swing(0.5, 1.4, 1.2);
    for (std::size_t i = 4; i < 8; ++i) figure.limbs[i] = swing(0, 0.3, 0.5);
    const auto colour = [&](double low, double high) {
      return std::vector<double>{between(low, high), between(low, high), between(low, high)};
    };
    figure.ground = colour(-0.9, -0.3);
    figure.skin = {between(0.5, 0.9), between(0.1, 0.5), between(-0.2, 0.2)};
    figure.shirt = colour(-0.2, 0.9);
    figure.legs = colour(-0.2, 0.9);
    return figure;
  }
  Figure held_out(std::int64_t index) const {
    const auto seed =
        svi::derive_seed(static_cast<std::uint64_t>(config_.held_out_seed), kHeldOutFigures);
    return figure_of(svi::derive_seed(seed, static_cast<std::uint64_t>(index)));
  }
  static double rate(const svi::ClipShape& shape) { return shape.fps > 0 ? shape.fps : kFigureFps; }

  svi::Clip do_training_clip(std::uint64_t seed, std::int64_t draw,
                             const svi::ClipShape& shape) const override {
    const auto figure = figure_of(
        svi::derive_seed(svi::derive_seed(seed, kTrainFigures), static_cast<std::uint64_t>(draw)));
    const auto video = figure.render(0, shape.frames, rate(shape), shape);
    svi::Tracks tracks;
    tracks.set(std::string(svi::part::kPose),
               FigurePoses(figure, shape.frames, rate(shape), shape).read(0, shape.frames));
    return {video, video.select(1, 0), "a person is dancing", tracks};
  }
  std::int64_t do_scene_count() const override { return config_.scenes; }
  svi::Scene do_scene(std::int64_t index, const svi::ClipShape& shape) const override {
    const auto figure = held_out(index);
    svi::Tracks tracks;
    tracks.set(std::string(svi::part::kPose),
               std::make_shared<FigurePoses>(figure, config_.frames, rate(shape), shape));
    return {index,
            "figure-" + std::to_string(index),
            figure.render(0, 1, rate(shape), shape).select(1, 0),
            {"a person is dancing"},
            tracks};
  }
  std::optional<at::Tensor> do_truth(std::int64_t index, std::int64_t first, std::int64_t count,
                                     const svi::ClipShape& shape) const override {
    if (first + count > config_.frames) return std::nullopt;
    return held_out(index).render(first, count, rate(shape), shape);
  }

  Config config_;
};

}  // namespace

void add_stick_figure(svi::Registrar& registrar) {
  registrar.add<svi::ClipSource, StickFigure>(
      "stick_figure", "a person who moves as a skeleton tells, every frame known");
}
