#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/model/weights.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Sizes of a critic, `[critic]`.
struct SVI_EXPORT CriticConfig {
  std::int64_t width = 16;
  std::int64_t features = 32;

  void describe(OptionVisitor& visit);
};

/// What a critic says of a batch of frames.
struct CriticView {
  at::Tensor psnr;      // [B]     dB, not clamped; differentiable
  at::Tensor features;  // [B, D]  the layer before, from which psnr is read off
};

/// Lowest and highest PSNR a critic is taught to tell, in dB.
inline constexpr double kCriticFloor = 10, kCriticCeiling = 40;  // dB

/// A quality critic without reference: looks at one frame and says by how many dB it differs from
/// its undamaged original, which it has never seen.
///
/// Convolutions at full, half, quarter and eighth size, each stage's mean over the picture joined
/// into one vector, two linear layers: 0.2 M weights at the default width. The means make it work
/// at any size >= 8; what it says of sizes far from those it was trained on is not calibrated.
/// Trained by CriticTrainer on procedural damage to real frames and never on a model's output, so
/// that no model under test has taught it. It sees damage; it does not see a legitimate picture of
/// something else.
class SVI_EXPORT Critic {
 public:
  /// Weights zero; on at::kMeta they have shapes only. Throws ConfigError for sizes < 1.
  explicit Critic(CriticConfig config, at::Device device = at::Device(c10::DeviceType::CPU));
  /// Reads a file of CriticTrainer's. Throws IoError naming file and what is wrong in it.
  static Critic open(const std::string& path);
  /// The sizes that weights of these names and shapes belong to; throws IoError if to none.
  static CriticConfig infer(const NamedTensors& weights);

  const CriticConfig& config() const { return config_; }
  /// Random weights that are a function of the seed alone.
  void initialise(std::uint64_t seed);
  /// Every weight under its name, sharing storage with flat().
  const NamedTensors& parameters() const { return parameters_; }
  /// [P] fp32: all weights in the order of parameters().
  const at::Tensor& flat() const { return flat_; }
  void require_grad(bool enabled);  // of all weights
  /// Copies weights; throws IoError naming `origin` and every name that does not fit.
  LoadReport load(const NamedTensors& weights, const std::string& origin);

  /// `frames` [B, 3, H, W] fp32 in [0, 1], H, W >= 8.
  CriticView look(const at::Tensor& frames) const;

 private:
  CriticConfig config_;
  at::Tensor flat_;
  NamedTensors parameters_;
};

}  // namespace svi
