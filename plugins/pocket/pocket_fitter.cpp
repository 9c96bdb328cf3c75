#include <ATen/ATen.h>

#include <Eigen/Dense>
#include <cmath>
#include <numbers>

#include "pocket/pocket_metric.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

constexpr double kLowestCentre = 0.2,
                 kHighestCentre = 0.8;      // where discs are looked for, in heights
constexpr double kFinestStep = 1.0 / 32.0;  // pixels

using Shades = Eigen::Matrix<double, 4, 3>;  // three bands and the disc, by channel

/// The least-squares problem "which shades explain the picture, given the disc's place":
/// minimise tr(S'AS - 2 S'B) + q over the shades S.
struct Normal {
  Eigen::Matrix4d a = Eigen::Matrix4d::Zero();
  Shades b = Shades::Zero();
  double q = 0;

  Shades best() const {
    auto regular = a;
    regular.diagonal().array() += 1e-9;
    return regular.ldlt().solve(b);
  }
  double error(const Shades& s) const {
    return std::max(0.0, (s.cwiseProduct(a * s - 2.0 * b)).sum() + q);
  }
};

struct Place {
  double x, y;
};

struct Candidate {
  Place place;
  std::vector<PocketDiscPixel> pixels;
};

double decibels(double error, std::int64_t values, double ceiling) {
  const double mean = error / static_cast<double>(values);
  return mean > 0 ? std::min(ceiling, -10.0 * std::log10(mean)) : ceiling;
}

}  // namespace

struct PocketFitter::Impl {
  Config config;
  PocketPrompt prompt;
  std::int64_t height, width, plane;
  at::Tensor weights;                                 // [3, H, W]
  const float* band;                                  // its numbers
  Eigen::Matrix3d overlap = Eigen::Matrix3d::Zero();  // of the bands' weights, without the disc
  std::vector<Candidate> grid;

  Impl(Config c, const PocketPrompt& p, std::int64_t H, std::int64_t W)
      : config(c),
        prompt(p),
        height(H),
        width(W),
        plane(H * W),
        weights(pocket_band_weights(p.layout, c.texture, H, W)),
        band(weights.const_data_ptr<float>()) {
    for (std::int64_t i = 0; i < plane; ++i) overlap += bands_at(i) * bands_at(i).transpose();
    // Steps of a third of the radius: from the nearest place on the grid the search finds the true
    // one.
    const double step = 0.37 * kPocketDiscRadius * static_cast<double>(std::min(H, W));
    const auto columns = static_cast<int>(std::ceil(static_cast<double>(W) / step));
    const auto rows = static_cast<int>(
        std::ceil((kHighestCentre - kLowestCentre) * static_cast<double>(H) / step));
    for (int row = 0; row <= rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        const Place place{
            static_cast<double>(column) / columns,
            std::lerp(kLowestCentre, kHighestCentre, static_cast<double>(row) / rows)};
        grid.push_back({place, pocket_disc_pixels(place.x, place.y, H, W)});
      }
    }
  }

  Eigen::Vector3d bands_at(std::int64_t i) const {
    return {band[i], band[plane + i], band[2 * plane + i]};
  }

  /// The problem without a disc.
  Normal bare(const float* frame) const {
    Normal normal;
    normal.a.topLeftCorner<3, 3>() = overlap;
    for (std::int64_t c = 0; c < 3; ++c) {
      const float* channel = frame + c * plane;
      double b0 = 0, b1 = 0, b2 = 0, q = 0;
      for (std::int64_t i = 0; i < plane; ++i) {
        const double value = channel[i];
        b0 += band[i] * value;
        b1 += band[plane + i] * value;
        b2 += band[2 * plane + i] * value;
        q += value * value;
      }
      normal.b.col(c).head<3>() = Eigen::Vector3d(b0, b1, b2);
      normal.q += q;
    }
    return normal;
  }

  /// Changes the problem without a disc into the one with it, pixel by pixel.
  Normal with_disc(const Normal& without, const float* frame,
                   const std::vector<PocketDiscPixel>& disc) const {
    Normal normal = without;
    for (const auto& [i, whole, inner] : disc) {
      const Eigen::Vector3d w = bands_at(i);
      const double left = 1.0 - whole;
      normal.a.topLeftCorner<3, 3>() += (left * left - 1.0) * (w * w.transpose());
      normal.a.col(3).head<3>() += left * inner * w;
      normal.a(3, 3) += inner * inner;
      for (std::int64_t c = 0; c < 3; ++c) {
        const double value = frame[c * plane + i];
        const double target = value - (whole - inner) * kPocketRim[static_cast<std::size_t>(c)];
        normal.b.col(c).head<3>() += (left * target - value) * w;
        normal.b(3, c) += inner * target;
        normal.q += target * target - value * value;
      }
    }
    normal.a.row(3).head<3>() = normal.a.col(3).head<3>().transpose();
    return normal;
  }

  double error_at(const Normal& without, const float* frame, const Place& place) const {
    const auto normal =
        with_disc(without, frame, pocket_disc_pixels(place.x, place.y, height, width));
    return normal.error(normal.best());
  }

  /// The disc's place: best of a grid, then a pattern search down to a fraction of a pixel.
  Place find_disc(const Normal& without, const float* frame) const {
    Place best{};
    double lowest = std::numeric_limits<double>::infinity();
    for (const auto& candidate : grid) {
      const auto normal = with_disc(without, frame, candidate.pixels);
      const double error = normal.error(normal.best());
      if (error < lowest) {
        lowest = error;
        best = candidate.place;
      }
    }
    for (double step = 1.0; step >= kFinestStep; step /= 2) {
      const double dx = step / static_cast<double>(width), dy = step / static_cast<double>(height);
      bool moved = true;
      for (int round = 0; moved && round < 4; ++round) {
        moved = false;
        for (const Place& move : {Place{dx, 0}, Place{-dx, 0}, Place{0, dy}, Place{0, -dy}}) {
          const Place place{best.x + move.x,
                            std::clamp(best.y + move.y, kLowestCentre, kHighestCentre)};
          const double error = error_at(without, frame, place);
          if (error >= lowest) continue;
          lowest = error;
          best = place;
          moved = true;
        }
      }
    }
    best.x -= std::floor(best.x);
    return best;
  }

  /// The best shades within the prompt's colours: coordinate descent, exact for a convex problem.
  Shades best_named(const Normal& normal, Shades shades) const {
    const double reach = config.jitter * std::numbers::sqrt3;
    for (int sweep = 0; sweep < 12; ++sweep) {
      for (int k = 0; k < 4; ++k) {
        const auto named =
            pocket_colour(k < 3 ? prompt.bands[static_cast<std::size_t>(k)] : prompt.disc);
        for (int c = 0; c < 3; ++c) {
          const double rest = normal.a.row(k).dot(shades.col(c)) - normal.a(k, k) * shades(k, c);
          const double free = (normal.b(k, c) - rest) / (normal.a(k, k) + 1e-9);
          const double centre = named[static_cast<std::size_t>(c)];
          shades(k, c) = std::clamp(free, centre - reach, centre + reach);
        }
      }
    }
    return shades;
  }

  /// Share of the departure from the bands, over the disc's pixels, that the disc explains.
  double disc_share(const float* frame, const std::vector<PocketDiscPixel>& disc,
                    const Shades& shades) const {
    double without = 0, with = 0;
    for (const auto& [i, whole, inner] : disc) {
      const Eigen::Vector3d w = bands_at(i);
      for (std::int64_t c = 0; c < 3; ++c) {
        const double ground = w.dot(shades.col(c).head<3>());
        const double shown = (1.0 - whole) * ground + inner * shades(3, c) +
                             (whole - inner) * kPocketRim[static_cast<std::size_t>(c)];
        const double value = frame[c * plane + i];
        without += (value - ground) * (value - ground);
        with += (value - shown) * (value - shown);
      }
    }
    return without > 0 ? std::clamp(1.0 - with / without, 0.0, 1.0) : 0.0;
  }
};

void PocketFitter::Config::describe(OptionVisitor& visit) {
  visit(texture, {.key = "texture",
                  .help = "amplitude of the shading in the measured world",
                  .min = 0,
                  .max = 0.3});
  visit(jitter, {.key = "jitter",
                 .help = "standard deviation of shades in the measured world",
                 .min = 0,
                 .max = 0.2});
  visit(ceiling, {.key = "ceiling",
                  .help = "largest quality value; smaller damage is not distinguished",
                  .unit = "dB",
                  .min = 1,
                  .max = 100});
}

PocketFitter::PocketFitter(Config config, const PocketPrompt& prompt, std::int64_t height,
                           std::int64_t width)
    : impl_(std::make_unique<const Impl>(config, prompt, height, width)) {}

PocketFitter::~PocketFitter() = default;

PocketFit PocketFitter::fit(const at::Tensor& frame) const {
  const auto [C, H, W] = dims<3>(frame, "frame [3, H, W]");
  SVI_CHECK(C == 3 && H == impl_->height && W == impl_->width && frame.scalar_type() == at::kFloat,
            "a fitter for ", impl_->height, " x ", impl_->width, " got ", frame.sizes(), " ",
            frame.scalar_type());
  const auto packed = frame.contiguous();
  const float* pixels = packed.const_data_ptr<float>();
  const auto without = impl_->bare(pixels);
  const auto place = impl_->find_disc(without, pixels);
  const auto disc = pocket_disc_pixels(place.x, place.y, H, W);
  const auto normal = impl_->with_disc(without, pixels, disc);
  const auto shades = normal.best();
  const auto named = impl_->best_named(normal, shades);

  PocketFit fit;
  for (int c = 0; c < 3; ++c) {
    const auto channel = static_cast<std::size_t>(c);
    for (int k = 0; k < 3; ++k) {
      fit.band_shades[static_cast<std::size_t>(k)][channel] = static_cast<float>(shades(k, c));
    }
    fit.disc_shade[channel] = static_cast<float>(shades(3, c));
  }
  fit.disc_x = place.x;
  fit.disc_y = place.y;
  fit.structure = decibels(normal.error(shades), 3 * H * W, impl_->config.ceiling);
  fit.quality = decibels(normal.error(named), 3 * H * W, impl_->config.ceiling);
  fit.disc = impl_->disc_share(pixels, disc, shades);
  return fit;
}

}  // namespace svi
