#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/diagnose/diagnostic.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/method/chain.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/tensor/random.hpp"

namespace svi::test {

/// A codec whose latent is the video itself, to a few 1e-6.
///
/// One level, no strides, and every block's change zero, so that three channels carry the pixels,
/// shifted to where SiLU is the identity, beside one so large that the norm before the last
/// convolution is a constant.
inline WanVae identity_vae() {
  constexpr float kShift = 20, kLarge = 1e6;
  WanVae vae(WanVaeConfig{
      .dim = 4, .z_dim = 3, .dim_mult = {1}, .num_res_blocks = 1, .temporal_downsample = {}});
  std::map<std::string, at::Tensor> weights;
  for (auto& [name, tensor] : vae.parameters()) weights.emplace(name, tensor.zero_());
  const auto centre = [](const at::Tensor& weight, std::int64_t out, std::int64_t in, float value) {
    const auto& w = weight[out][in];
    w[w.size(0) - 1][w.size(1) / 2][w.size(2) / 2] = value;
  };
  for (const std::string side : {"encoder.", "decoder."}) {
    weights.at(side + "conv1.bias").fill_(kShift)[0] = kLarge;
    weights.at(side + "head.0.gamma").fill_(kLarge / 2)[0] = 0;  // the norm is 1e6 / sqrt(4)
    for (std::int64_t c = 0; c < 3; ++c) {
      centre(weights.at(side + "conv1.weight"), c + 1, c, 1);
      centre(weights.at(side + "head.2.weight"), c, c + 1, 1);
      weights.at(side + "head.2.bias")[c] = -kShift;
      centre(weights.at(side == "encoder." ? "conv1.weight" : "conv2.weight"), c, c, 1);
    }
  }
  vae.require_grad(false);
  return vae;
}

/// Each sampled frame is mean + gain (condition's first frame - mean) + bias + fresh * noise, when
/// the sampler takes one step: at sigma = 1 the model sees the noise itself.
class AffineModel final : public VelocityModel {
 public:
  double gain = 1, bias = 0, fresh = 0;
  at::Tensor mean = at::zeros({1, 3, 1, 1, 1});

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    const auto z = noisy.size(1);
    const auto first =
        condition[part::kImage].narrow(1, condition[part::kImage].size(1) - z, z).narrow(2, 0, 1);
    const auto clip = mean + (first - mean) * gain + bias + noisy * fresh;  // [B, 3, F, h, w]
    return (noisy - clip) / (timestep / 1000).view({-1, 1, 1, 1, 1});
  }
};

/// Scenes that never move: all of them one image, or each its own.
class StillSource final : public ClipSource {
 public:
  std::vector<at::Tensor>
      images;  // [3, H, W] in [-1, 1]; scene i shows image i modulo their number
  bool knows_truth = true;

 private:
  const at::Tensor& image(std::int64_t index) const {
    return images[static_cast<std::size_t>(index) % images.size()];
  }
  Clip do_training_clip(std::uint64_t, std::int64_t draw, const ClipShape& shape) const override {
    return {image(draw).unsqueeze(1).repeat({1, shape.frames, 1, 1}), image(draw), "still"};
  }
  std::int64_t do_scene_count() const override { return 1000; }
  Scene do_scene(std::int64_t index, const ClipShape&) const override {
    return {index, cat("still", index), image(index), {"still"}};
  }
  std::optional<at::Tensor> do_truth(std::int64_t index, std::int64_t, std::int64_t count,
                                     const ClipShape&) const override {
    if (!knows_truth) return std::nullopt;
    return image(index).unsqueeze(1).repeat({1, count, 1, 1});
  }
};

/// Everything a diagnostic needs, with a codec that changes nothing and one sampling step.
struct FakeArm {
  static constexpr std::int64_t kFrames = 3, kHeight = 8, kWidth = 12;

  AffineModel model;
  WanVae vae = identity_vae();
  EncodeText encode_text = [](const std::vector<std::string>& prompts) {
    return at::zeros({static_cast<std::int64_t>(prompts.size()), 2, 4});
  };
  ChainOptions chain;
  EulerSampler sampler{{.steps = 1, .shift = 1}};
  NoGuidance guidance;
  StillSource source;
  RolloutConfig rollout;

  FakeArm() { source.images = {at::zeros({3, kHeight, kWidth})}; }

  DiagnosticReport run(const Diagnostic& diagnostic) const {
    const OptionChain method(chain);
    const Studio studio{model,   vae,      encode_text, method,
                        sampler, guidance, rollout,     {kFrames, kHeight, kWidth}};
    return diagnostic.run({studio, source, at::kCPU, 0, {}});
  }
};

/// The values of a result. Throws if there is none of that name.
inline at::Tensor values_of(const DiagnosticReport& report, const std::string& name) {
  for (const auto& result : report.results) {
    if (result.name == name) return result.values;
  }
  raise("no result is called ", name);
}

inline double number_of(const DiagnosticReport& report, const std::string& name,
                        std::int64_t row = 0) {
  return values_of(report, name)[row].item<double>();
}

/// A picture without structure, away from the ends of the range.
inline at::Tensor noise_image(std::uint32_t number, double size = 0.2) {
  return (normal({11, Purpose::test, number, 0}, {3, FakeArm::kHeight, FakeArm::kWidth}) * size)
      .clamp(-0.5, 0.5);
}

}  // namespace svi::test
