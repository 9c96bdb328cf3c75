#include "svi/data/damage.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

/// Numbers of one damage, in the order in which they are asked for; normal fields have sequences of
/// their own, so that a field's size moves nothing.
class DamageDraws {
 public:
  explicit DamageDraws(const RandomKey& key) : key_(key) {}

  double between(double low, double high) { return low + (high - low) * uniform(key_, next_++); }
  std::int64_t whole(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(
                     uniform_index(key_, static_cast<std::uint64_t>(high - low + 1), next_++));
  }
  at::Tensor field(at::IntArrayRef sizes) {
    auto key = key_;
    key.seed = derive_seed(key_.seed, 1 + fields_++);
    return normal(key, sizes);
  }

 private:
  RandomKey key_;
  std::uint32_t next_ = 0;
  std::uint64_t fields_ = 0;
};

struct FrameSize {
  std::int64_t height, width;
  double unit() const {  // pixels of the picture per pixel of one with 32 on its shorter side
    return static_cast<double>(std::min(height, width)) / 32;
  }
};

at::Tensor stretched(const at::Tensor& field, FrameSize size) {  // [C, h, w] -> [C, H, W], smoothly
  return at::upsample_bicubic2d(field.unsqueeze(0), {size.height, size.width}, false).squeeze(0);
}

/// A smooth field whose features are `grain` pixels large.
at::Tensor smooth_field(DamageDraws& draws, std::int64_t channels, double grain, FrameSize size) {
  const auto cells = [&](std::int64_t length) {
    return std::max<std::int64_t>(2, std::llround(static_cast<double>(length) / grain));
  };
  return stretched(draws.field({channels, cells(size.height), cells(size.width)}), size);
}

/// Weights in [0, 1] of a soft region: everywhere once in eight times, else an ellipse.
at::Tensor soft_region(DamageDraws& draws, FrameSize size) {  // [1, H, W]
  const bool everywhere = draws.between(0, 1) < 0.125;
  const double x = draws.between(0, 1), y = draws.between(0, 1);
  const double rx = draws.between(0.12, 0.6), ry = draws.between(0.12, 0.6);
  const double edge = draws.between(0.1, 1);
  if (everywhere) return at::ones({1, size.height, size.width});
  const auto axis = [](std::int64_t length, double centre, double radius) {
    return ((at::arange(length) + 0.5) / static_cast<double>(length) - centre) / radius;
  };
  const auto rows = axis(size.height, y, ry).view({1, -1, 1});
  const auto columns = axis(size.width, x, rx).view({1, 1, -1});
  return ((1 + edge / 2 - (rows.square() + columns.square()).sqrt()) / edge).clamp(0, 1);
}

at::Tensor blurred(const at::Tensor& frame, double sigma) {
  const auto reach = std::min<std::int64_t>(static_cast<std::int64_t>(std::ceil(3 * sigma)),
                                            std::min(frame.size(1), frame.size(2)) - 1);
  auto window = (at::arange(-reach, reach + 1).to(at::kFloat) / sigma).square().mul(-0.5).exp();
  window = window / window.sum();
  const auto padded = at::reflection_pad2d(frame.unsqueeze(1), {reach, reach, reach, reach});
  const auto rows = at::conv2d(padded, window.view({1, 1, -1, 1}));
  return at::conv2d(rows, window.view({1, 1, 1, -1})).squeeze(1);
}

/// Side of a block, in pixels: 2 to 8 at 32 pixels a side.
std::int64_t block_side(DamageDraws& draws, FrameSize size) {
  return std::max<std::int64_t>(
      2, std::llround(static_cast<double>(std::int64_t{1} << draws.whole(1, 3)) * size.unit()));
}

at::Tensor spread_blocks(const at::Tensor& cells, std::int64_t side, FrameSize size) {
  return cells.repeat_interleave(side, 1)
      .narrow(1, 0, size.height)
      .repeat_interleave(side, 2)
      .narrow(2, 0, size.width);
}

at::Tensor with_block_noise(const at::Tensor& frame, DamageDraws& draws, FrameSize size) {
  const auto side = block_side(draws, size);
  const auto cells =
      draws.field({3, (size.height + side - 1) / side, (size.width + side - 1) / side});
  return frame + 0.3 * spread_blocks(cells, side, size);
}

at::Tensor with_blocking(const at::Tensor& frame, DamageDraws& draws, FrameSize size) {
  const auto side = block_side(draws, size);
  const auto cells = at::avg_pool2d(frame.unsqueeze(0), {side, side}, {side, side}, {0, 0},
                                    /*ceil_mode=*/true, /*count_include_pad=*/false)
                         .squeeze(0);
  return spread_blocks(cells, side, size);
}

at::Tensor with_ghost(const at::Tensor& frame, DamageDraws& draws, FrameSize size) {
  const double angle = draws.between(0, 2 * std::numbers::pi);
  const double length = draws.between(1.5, 10) * size.unit();
  const auto dx = std::llround(length * std::cos(angle)),
             dy = std::llround(length * std::sin(angle));
  return at::lerp(frame, frame.roll({dy, dx}, {1, 2}), draws.between(0.3, 0.7));
}

/// A cast as strong as the unit vector of a random direction without its grey part.
at::Tensor colour_cast(DamageDraws& draws) {  // [3, 1, 1]
  const double angle = draws.between(0, 2 * std::numbers::pi);
  std::vector<double> cast;
  for (int c = 0; c < 3; ++c) cast.push_back(std::cos(angle + c * 2 * std::numbers::pi / 3));
  return at::tensor(cast, at::kFloat).view({3, 1, 1}) * std::sqrt(2.0 / 3.0);
}

at::Tensor quantised(const at::Tensor& frame, DamageDraws& draws) {
  const auto steps = static_cast<double>(draws.whole(1, 12));
  const double offset = draws.between(0, 1);  // levels need not include black
  return (frame * steps + offset).floor().add(0.5 - offset) / steps;
}

/// Whether more than the full strength makes sense: a picture can be noisier, not more than
/// blurred.
bool is_additive(Damage kind) {
  switch (kind) {
    case Damage::noise:
    case Damage::coloured_noise:
    case Damage::blocks:
    case Damage::stains:
    case Damage::tint:
    case Damage::light:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::vector<std::string> enum_names(Damage) {
  return {"noise", "coloured_noise", "blur", "blocks", "blocking",   "stains",
          "ghost", "foreign",        "tint", "light",  "saturation", "quantisation"};
}

at::Tensor damaged(const at::Tensor& frame, Damage kind, const at::Tensor& other,
                   const RandomKey& key) {
  const auto [C, H, W] = dims<3>(frame, "frame [3, H, W]");
  SVI_CHECK(C == 3 && H >= 8 && W >= 8 && frame.scalar_type() == at::kFloat &&
                other.sizes() == frame.sizes() && other.scalar_type() == at::kFloat,
            "damage to a frame ", frame.sizes(), " with another ", other.sizes());
  const FrameSize size{H, W};
  DamageDraws draws(key);
  switch (kind) {
    case Damage::noise:
      return frame + 0.2 * draws.field({3, H, W});
    case Damage::coloured_noise:
      return frame + 0.2 * smooth_field(draws, 3, draws.between(2, 8) * size.unit(), size);
    case Damage::blur:
      return blurred(frame, draws.between(0.5, 3) * size.unit());
    case Damage::blocks:
      return with_block_noise(frame, draws, size);
    case Damage::blocking:
      return with_blocking(frame, draws, size);
    case Damage::stains:
      return frame + 0.3 * smooth_field(draws, 3, draws.between(10, 16) * size.unit(), size);
    case Damage::ghost:
      return with_ghost(frame, draws, size);
    case Damage::foreign:
      // Never more than the frame itself: a frame that is wholly another one is not damaged.
      return at::lerp(frame, other, soft_region(draws, size) * draws.between(0.25, 0.6));
    case Damage::tint:
      return frame + 0.4 * soft_region(draws, size) * colour_cast(draws);
    case Damage::light:
      return frame + (draws.whole(0, 1) == 0 ? -0.4 : 0.4) * soft_region(draws, size);
    case Damage::saturation: {
      const auto colour = frame - frame.mean(0, true);
      const double factor = draws.whole(0, 1) == 0 ? -1.0 : 1.0;  // grey, or twice as colourful
      return frame + factor * soft_region(draws, size) * colour;
    }
    case Damage::quantisation:
      return quantised(frame, draws);
  }
  raise("there is no damage ", static_cast<int>(kind));
}

void DamageConfig::describe(OptionVisitor& visit) {
  visit(clean_probability, {.key = "clean_probability",
                            .help = "share of the frames without damage",
                            .min = 0,
                            .max = 1});
  visit(most_kinds, {.key = "most_kinds",
                     .help = "largest number of kinds of damage in one frame",
                     .min = 1,
                     .max = kDamages});
  visit(weakest, {.key = "weakest",
                  .help = "PSNR after the weakest damage",
                  .unit = "dB",
                  .min = 1,
                  .max = 100});
  visit(strongest, {.key = "strongest",
                    .help = "PSNR after the strongest damage; below weakest",
                    .unit = "dB",
                    .min = 1,
                    .max = 100});
}

std::string DamageConfig::problem() const {
  if (strongest < weakest) return {};
  return cat("strongest = ", strongest, " must be below weakest = ", weakest,
             ": both are the PSNR that is left, in dB");
}

namespace {

/// Damage of mean square `wanted`, or as near to it as the kind allows.
at::Tensor damage_by(double wanted, const at::Tensor& frame, Damage kind, const at::Tensor& other,
                     const RandomKey& key) {
  auto own = key;
  own.seed = derive_seed(key.seed, 0x6b696e64 + static_cast<std::uint64_t>(kind));
  const auto change = damaged(frame, kind, other, own) - frame;
  const double error = change.square().mean().item<double>();
  if (error <= 0) return frame.clone();
  double gain = std::sqrt(wanted / error);
  // Half a blur is no blur: what blends is often left at its full strength.
  if (!is_additive(kind)) gain = uniform(key, 0) < 0.5 ? 1 : std::min(gain, 1.0);
  return (frame + gain * change).clamp(0, 1);
}

/// A mean square error, even in decibels.
double draw_error(const DamageConfig& config, const RandomKey& key, std::uint32_t index) {
  return std::pow(10.0, -std::lerp(config.strongest, config.weakest, uniform(key, index)) / 10);
}

}  // namespace

at::Tensor damage_at_random(const DamageConfig& config, const at::Tensor& frame, Damage kind,
                            const at::Tensor& other, const RandomKey& key) {
  return damage_by(draw_error(config, key, 1), frame, kind, other, key);
}

DamagedFrame damage_at_random(const DamageConfig& config, const at::Tensor& frame,
                              const at::Tensor& other, const RandomKey& key) {
  DamagedFrame result{frame, {}};
  if (uniform(key, 0) < config.clean_probability) return result;
  const auto count = 1 + static_cast<std::int64_t>(
                             uniform_index(key, static_cast<std::uint64_t>(config.most_kinds), 1));
  std::vector<Damage> left;
  for (std::int64_t i = 0; i < kDamages; ++i) left.push_back(static_cast<Damage>(i));
  const double error = draw_error(config, key, 2);
  std::vector<double> shares;
  for (std::int64_t i = 0; i < count; ++i)
    shares.push_back(0.1 + uniform(key, static_cast<std::uint32_t>(3 + 2 * i)));
  const double whole = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto which = static_cast<std::ptrdiff_t>(
        uniform_index(key, left.size(), static_cast<std::uint32_t>(4 + 2 * i)));
    const auto kind = left[static_cast<std::size_t>(which)];
    left.erase(left.begin() + which);
    auto own = key;
    own.seed = derive_seed(key.seed, 0x74757266 + static_cast<std::uint64_t>(i));
    result.frame = damage_by(error * shares[static_cast<std::size_t>(i)] / whole, result.frame,
                             kind, other, own);
    result.kinds.push_back(kind);
  }
  return result;
}

}  // namespace svi
