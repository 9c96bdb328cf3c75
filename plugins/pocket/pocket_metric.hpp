#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "pocket/pocket_scene.hpp"
#include "svi/config/option.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// What a pocket picture shows, as the render that explains it best.
struct PocketFit {
  std::array<Rgb, 3> band_shades = {};  // may leave [0, 1] in damaged pictures
  Rgb disc_shade = {};                  // may leave [0, 1], too
  double disc_x = 0, disc_y = 0;        // centre, relative, in [0, 1); x wraps around
  double structure = 0;                 // dB: PSNR to the best render with shades of any value
  double quality = 0;  // dB: PSNR to the best render with shades as the prompt names them
  double disc = 0;     // [0, 1]: share of the departure from the bands that the disc explains
};

/// Finds the render of the pocket world that explains a picture best: the prompt gives layout and
/// colours, a search the disc's place, least squares the shades.
///
/// Knows one prompt and one size; keeps tables, so make it once. Thread-safe.
class PocketFitter {
 public:
  struct Config {
    double texture = kPocketTexture;  // of the world looked at
    double jitter = kPocketJitter;    // of the world looked at
    double ceiling = 40.0;            // dB

    void describe(OptionVisitor& visit);
  };
  /// Height and width of the pictures in pixels.
  PocketFitter(Config config, const PocketPrompt& prompt, std::int64_t height, std::int64_t width);
  ~PocketFitter();

  /// `frame` is [3, H, W], fp32 in [0, 1].
  PocketFit fit(const at::Tensor& frame) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

/// How much the shades of two pictures agree: exp(-rms difference / scale), 1 where equal.
double pocket_consistency(const PocketFit& a, const PocketFit& b, double scale);

/// Quantities of the pocket world that need no truth, from PocketFitter on a few frames of each
/// clip: `pocket_quality`, `pocket_structure`, `pocket_consistency` (with the film's first frame),
/// `pocket_disc` and `pocket_motion`. Undefined for prompts that are not of the pocket world.
class PocketMetric final : public Metric {
 public:
  struct Config {
    PocketFitter::Config fit;  // texture, jitter, ceiling
    std::int64_t frames = 5;
    double scale = 0.2;
    double speed = kPocketSpeed;

    void describe(OptionVisitor& visit);
  };

  explicit PocketMetric(Config config) : config_(config) {}
  std::vector<Quantity> quantities() const override;
  std::unique_ptr<MetricSession> open() const override;

 private:
  Config config_;
};

}  // namespace svi
