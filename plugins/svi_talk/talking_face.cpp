#include "talking_face.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <optional>
#include <string>
#include <svi/core/check.hpp>
#include <svi/core/random.hpp>
#include <svi/data/clip_source.hpp>
#include <svi/io/sound.hpp>
#include <svi/model/condition.hpp>
#include <vector>

#include "face_shape.hpp"
#include "speech/features.hpp"
#include "speech/loudness.hpp"
#include "speech/windows.hpp"

namespace {

constexpr std::uint64_t kTrainSalt = 0x66616365747262, kHeldOutSalt = 0x666163656864;
constexpr double kUsualFps = 25, kUsualLufs = -23;
constexpr double kShut = -50, kOpen = -15;  // level of a frame, dB, at which the mouth is so

/// Numbers in [0, 1) of one scene, one after the other.
class Draws {
 public:
  explicit Draws(svi::RandomKey key) : key_(key) {}
  double operator()() { return svi::uniform(key_, index_++); }
  double between(double low, double high) { return low + (high - low) * (*this)(); }

 private:
  svi::RandomKey key_;
  std::uint32_t index_ = 0;
};

/// Noise and a buzz in syllables of 0.12 to 0.35 s, every fourth of them a pause: [N] in [-1, 1].
at::Tensor syllables(svi::RandomKey key, std::int64_t count) {
  auto samples = at::empty({count});
  auto* sample = samples.mutable_data_ptr<float>();
  svi::fill_uniform(key, sample, count);
  key.step += 1;
  Draws draw(key);
  const double pitch = 2 * std::numbers::pi * draw.between(100, 220) / svi::speech::kRate;
  for (std::int64_t begin = 0; begin < count;) {
    const auto length = static_cast<std::int64_t>(draw.between(0.12, 0.35) * svi::speech::kRate);
    const double loud = draw() < 0.25 ? 0 : 0.02 * std::pow(25, draw());
    for (std::int64_t i = begin; i < std::min(begin + length, count); ++i) {
      const double bow =
          std::sin(std::numbers::pi * static_cast<double>(i - begin) / static_cast<double>(length));
      const double buzz = std::sin(pitch * static_cast<double>(i));
      sample[i] = static_cast<float>(loud * bow * (2 * sample[i] - 1 + buzz) / 2);
    }
    begin += length;
  }
  return samples;
}

/// A face in front of a ground, whose mouth is open as wide as the sound of the frame is loud.
struct FaceScene {
  at::Tensor levels;  // [frames, 1, bands]: what is heard in each frame
  double x = 0, y = 0, size = 0;
  std::vector<double> ground, skin;  // [3] in [-1, 1]

  /// In [0, 1] of frames first .. first + count - 1, [count].
  at::Tensor opening(std::int64_t first, std::int64_t count) const {
    const auto decibels = levels.narrow(0, first, count).select(1, 0).select(1, 0) * 30 - 60;
    return ((decibels - kShut) / (kOpen - kShut)).clamp(0, 1);
  }

  /// [3, count, H, W]
  at::Tensor render(std::int64_t first, std::int64_t count, const svi::ClipShape& shape) const {
    const auto scale = static_cast<double>(std::min(shape.height, shape.width));
    const auto down =
        (at::arange(shape.height) + 0.5).view({-1, 1}) - y * static_cast<double>(shape.height);
    const auto right =
        (at::arange(shape.width) + 0.5).view({1, -1}) - x * static_cast<double>(shape.width);
    const auto side = size * scale;  // half the height of the head
    const auto colour = [](const std::vector<double>& rgb) {
      return at::tensor(rgb, at::kFloat).view({3, 1, 1, 1});
    };
    // How much of a pixel lies in a box around (at_y, at_x): [..., H, W].
    const auto box = [&](double at_y, double at_x, const at::Tensor& half_y, double half_x) {
      return (half_y - (down - at_y).abs() + 0.5).clamp(0, 1) *
             (half_x - (right - at_x).abs() + 0.5).clamp(0, 1);
    };
    const auto far =
        ((down / side).square() + (right / (svi::face::kHeadHalfWidth * side)).square()).sqrt();
    const auto head = ((1 - far) * side * 0.75 + 0.5).clamp(0, 1);
    auto video = colour(ground) + (colour(skin) - colour(ground)) * head;
    const auto eye = at::full({}, 0.12 * side);
    for (const double place : {-0.32, 0.32})
      video = video * (1 - box(-0.25 * side, place * side, eye, 0.12 * side)) -
              0.9 * box(-0.25 * side, place * side, eye, 0.12 * side);
    namespace face = svi::face;
    const auto half = (opening(first, count) * face::kMouthOpens * side + face::kMouthShut * side)
                          .view({-1, 1, 1});
    const auto mouth = box(face::kMouthDown * side, 0, half, face::kMouthHalfWidth * side)
                           .unsqueeze(0);  // [1, count, H, W]
    const std::vector<double> red(face::kMouth.begin(), face::kMouth.end());
    return (video * (1 - mouth) + colour(red) * mouth).to(at::kFloat);
  }
};

/// Faces that speak: the sound alone tells how the mouth moves, and every frame is known.
class TalkingFace final : public svi::ClipSource {
 public:
  struct Config : svi::HeldOutScenes {
    std::string speech = {};
    std::int64_t bands = 16;
    std::int64_t window = 5;

    void describe(svi::OptionVisitor& visit) {
      visit(speech, {.key = "speech",
                     .help = "sound that faces speak: training clips hear its first three "
                             "quarters, held-out scenes the rest; empty: syllables of noise"});
      visit(bands, {.key = "bands", .help = "values in a row of features", .min = 2, .max = 32});
      visit(window, {.key = "window",
                     .help = "rows that a frame hears, an odd number",
                     .unit = "frames",
                     .min = 1,
                     .max = 101});
      HeldOutScenes::describe(visit, "the sound");
    }
    std::string problem() const {
      return window % 2 == 0 ? svi::cat("window = ", window, " must be odd") : "";
    }
  };

  explicit TalkingFace(Config config) : config_(std::move(config)) {
    if (config_.speech.empty()) return;
    auto sound = svi::read_sound(config_.speech, {.rate = svi::speech::kRate, .channels = 1});
    const double loudness = svi::speech::integrated_loudness(sound);
    if (!std::isfinite(loudness)) {
      svi::raise<svi::ConfigError>("[data] speech = ", config_.speech,
                                   ": is silent, or shorter than 0.4 s; give another sound");
    }
    speech_ = sound.samples[0] * std::pow(10, (kUsualLufs - loudness) / 20);
  }

 private:
  /// A scene of so many frames, its sound `count` samples from a random moment on.
  FaceScene scene_of(svi::RandomKey key, bool train, std::int64_t frames, double fps) const {
    Draws draw(key);
    FaceScene face;
    face.x = draw.between(0.42, 0.58);
    face.y = draw.between(0.45, 0.55);
    face.size = draw.between(0.34, 0.42);
    face.ground = {draw.between(-0.9, 0), draw.between(-0.9, 0), draw.between(-0.9, 0)};
    face.skin = {draw.between(0.5, 0.9), draw.between(0.1, 0.5), draw.between(-0.2, 0.2)};
    const auto count = svi::speech::sample_of_frame(frames, fps);
    at::Tensor samples;
    if (!speech_.defined()) {
      key.step += 1;
      samples = syllables(key, count);
    } else {
      const auto cut = speech_.size(0) * 3 / 4;
      const auto part = train ? speech_.slice(0, 0, cut) : speech_.slice(0, cut);
      const auto from = static_cast<std::int64_t>(draw() * static_cast<double>(part.size(0)));
      samples = part.index_select(0, (at::arange(count, at::kLong) + from).remainder(part.size(0)));
    }
    face.levels = svi::speech::band_levels(samples, fps, frames, config_.bands);
    return face;
  }
  FaceScene held_out(std::int64_t index, double fps) const {
    const auto seed =
        svi::derive_seed(static_cast<std::uint64_t>(config_.held_out_seed), kHeldOutSalt);
    return scene_of({svi::derive_seed(seed, static_cast<std::uint64_t>(index)),
                     svi::Purpose::data_content, 0, 0},
                    false, config_.frames, fps);
  }
  static double rate(const svi::ClipShape& shape) { return shape.fps > 0 ? shape.fps : kUsualFps; }

  svi::Tracks heard(const at::Tensor& levels) const {
    svi::Tracks tracks;
    tracks.set(std::string(svi::part::kAudio),
               svi::speech::centred_windows(levels, config_.window));
    return tracks;
  }

  svi::Clip do_training_clip(std::uint64_t seed, std::int64_t draw,
                             const svi::ClipShape& shape) const override {
    const auto own =
        svi::derive_seed(svi::derive_seed(seed, kTrainSalt), static_cast<std::uint64_t>(draw));
    const auto half = config_.window / 2;  // the clip lies in the middle of its sound
    const auto face = scene_of({own, svi::Purpose::data_content, 0, 0}, true,
                               shape.frames + 2 * half, rate(shape));
    const auto video = face.render(half, shape.frames, shape);
    return {video, video.select(1, 0), "a person is talking",
            heard(face.levels).slice(half, shape.frames)};
  }
  std::int64_t do_scene_count() const override { return config_.scenes; }
  svi::Scene do_scene(std::int64_t index, const svi::ClipShape& shape) const override {
    const auto face = held_out(index, rate(shape));
    return {index,
            "face-" + std::to_string(index),
            face.render(0, 1, shape).select(1, 0),
            {"a person is talking"},
            heard(face.levels)};
  }
  std::optional<at::Tensor> do_truth(std::int64_t index, std::int64_t first, std::int64_t count,
                                     const svi::ClipShape& shape) const override {
    if (first + count > config_.frames) return std::nullopt;
    return held_out(index, rate(shape)).render(first, count, shape);
  }

  Config config_;
  at::Tensor speech_;  // [N] at 16 kHz and -23 LUFS; undefined: syllables
};

}  // namespace

void add_talking_face(svi::Registrar& registrar) {
  registrar.add<svi::ClipSource, TalkingFace>(
      "talking_face", "a face whose mouth follows the loudness of its sound, every frame known");
}
