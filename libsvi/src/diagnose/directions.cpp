#include "svi/diagnose/directions.hpp"

#include <ATen/ATen.h>

#include <numbers>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

constexpr std::int64_t kBlock = 4;        // pixels
constexpr std::int64_t kLowestWaves = 2;  // cycles per picture

// Streams of the patterns that are drawn, at a step that no scene's draws use (held_out_clips.hpp).
constexpr std::uint32_t kPatternStep = 1;
enum class PatternStream : std::uint32_t { waves, blocks, noise };

RandomKey pattern_key(std::uint64_t seed, PatternStream stream) {
  return {seed, Purpose::diagnostic, static_cast<std::uint32_t>(stream), kPatternStep};
}

at::Tensor unit_rms(const at::Tensor& pattern) { return pattern / pattern.square().mean().sqrt(); }

at::Tensor without_mean(const at::Tensor& pattern) {  // per channel
  return pattern - pattern.flatten(1).mean(1).view({-1, 1, 1});
}

at::Tensor waves(std::int64_t H, std::int64_t W, std::uint64_t seed) {
  const auto y = (at::arange(H, at::kDouble) / static_cast<double>(H)).unsqueeze(1);
  const auto x = (at::arange(W, at::kDouble) / static_cast<double>(W)).unsqueeze(0);
  auto pattern = at::zeros({3, H, W}, at::kDouble);
  std::uint32_t drawn = 0;
  const auto key = pattern_key(seed, PatternStream::waves);
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    for (std::int64_t fy = -kLowestWaves; fy <= kLowestWaves; ++fy) {
      for (std::int64_t fx = 0; fx <= kLowestWaves; ++fx) {
        const double height = uniform(key, drawn++), phase = uniform(key, drawn++);
        if (fx == 0 && fy <= 0) continue;  // the constant, and waves counted already
        const auto place = y * static_cast<double>(fy) + x * static_cast<double>(fx) + phase;
        pattern[channel] += (place * (2 * std::numbers::pi)).cos() * height;
      }
    }
  }
  return pattern;
}

at::Tensor blocks(std::int64_t H, std::int64_t W, std::uint64_t seed) {
  const auto drawn = normal(pattern_key(seed, PatternStream::blocks),
                            {3, (H + kBlock - 1) / kBlock, (W + kBlock - 1) / kBlock});
  return drawn.to(at::kDouble)
      .repeat_interleave(kBlock, 1)
      .repeat_interleave(kBlock, 2)
      .narrow(1, 0, H)
      .narrow(2, 0, W);
}

at::Tensor static_pattern(const std::string& name, std::int64_t H, std::int64_t W,
                          std::uint64_t seed) {  // [3, H, W]
  if (name == "brightness") return at::ones({3, H, W}, at::kDouble);
  if (name == "tint")
    return at::tensor({1.0, 0.0, -1.0}, at::kDouble).view({3, 1, 1}).expand({3, H, W});
  if (name == "low_frequency") return without_mean(waves(H, W, seed));
  if (name == "blocks") return without_mean(blocks(H, W, seed));
  if (name == "noise")
    return without_mean(normal(pattern_key(seed, PatternStream::noise), {3, H, W}).to(at::kDouble));
  const auto near = nearest_name(name, damage_names());
  raise<ConfigError>(
      "unknown direction of damage '", name, "'; ",
      near.empty() ? "known: " + join(damage_names()) : "did you mean '" + near + "'?");
}

at::Tensor blurred(const at::Tensor& frames) {  // [..., H, W], fp64
  const auto H = frames.size(-2), W = frames.size(-1);
  const auto flat = frames.reshape({-1, 1, H, W});
  const auto line = at::tensor({1.0, 4.0, 6.0, 4.0, 1.0}, at::kDouble) / 16;
  const auto padded = at::replication_pad2d(flat, {2, 2, 2, 2});
  return at::conv2d(at::conv2d(padded, line.view({1, 1, 5, 1})), line.view({1, 1, 1, 5}))
      .view(frames.sizes());
}

}  // namespace

const std::vector<std::string>& damage_names() {
  static const std::vector<std::string> names = {"brightness", "tint",  "low_frequency",
                                                 "blocks",     "noise", "blur"};
  return names;
}

at::Tensor damage_pattern(const std::string& name, const at::Tensor& frames, std::uint64_t seed) {
  SVI_CHECK(frames.dim() >= 3 && frames.size(-3) == 3, "frames [..., 3, H, W] needed, got ",
            frames.sizes());
  const auto values = frames.to(at::kCPU, at::kDouble);
  if (name == "blur") return blurred(values) - values;
  return unit_rms(static_pattern(name, frames.size(-2), frames.size(-1), seed))
      .expand(frames.sizes());
}

}  // namespace svi
