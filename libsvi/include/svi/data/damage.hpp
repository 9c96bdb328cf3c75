#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/core/random.hpp"

namespace svi {

/// What can be wrong with a picture, made without any model.
enum class Damage {
  noise,           // white Gaussian noise
  coloured_noise,  // Gaussian noise that is smooth over 2 to 8 pixels
  blur,            // Gaussian blur, 0.5 to 3 pixels (at 32 pixels a side)
  blocks,          // noise that is constant in blocks of 2 to 8 pixels
  blocking,        // each block of 2 to 8 pixels becomes its mean
  stains,          // smooth fields of a third of the picture and more, one per channel
  ghost,           // a shifted copy of the frame shines through
  foreign,         // another scene's frame shines through, in a soft region or everywhere
  tint,            // a soft region takes on a colour cast
  light,           // a soft region gets brighter or darker
  saturation,      // a soft region gets more colourful, or greyer
  quantisation,    // few levels per channel
};
inline constexpr std::int64_t kDamages = 12;  // number of kinds
/// Names of all kinds, in the order of the enum.
SVI_EXPORT std::vector<std::string> enum_names(Damage);

/// The frame with one kind of damage at its full strength, [3, H, W] fp32, not clamped to [0, 1].
/// Where and how is a function of `key` alone. `frame` and `other`, a frame of another scene, are
/// [3, H, W] fp32 in [0, 1].
SVI_EXPORT at::Tensor damaged(const at::Tensor& frame, Damage kind, const at::Tensor& other,
                              const RandomKey& key);

/// How frames are damaged at random.
struct SVI_EXPORT DamageConfig {
  double clean_probability = 0.05;
  std::int64_t most_kinds = 3;
  double weakest = 42;
  double strongest = 8;

  void describe(OptionVisitor& visit);
  std::string problem() const;
};

/// A damaged frame and what was done to it.
struct DamagedFrame {
  at::Tensor frame;           // [3, H, W]  fp32 in [0, 1]
  std::vector<Damage> kinds;  // in the order in which they were done; empty: clean
};

/// Damages a frame in one to `most_kinds` ways of which none comes twice. Together they leave about
/// a PSNR drawn evenly between `strongest` and `weakest`, so that all strengths are seen about
/// equally often; kinds that blend (blur, ghost, ...) come at their full strength half of the time,
/// and never stronger. A function of the arguments alone.
SVI_EXPORT DamagedFrame damage_at_random(const DamageConfig& config, const at::Tensor& frame,
                                         const at::Tensor& other, const RandomKey& key);
/// The same with one given kind.
SVI_EXPORT at::Tensor damage_at_random(const DamageConfig& config, const at::Tensor& frame,
                                       Damage kind, const at::Tensor& other, const RandomKey& key);

}  // namespace svi
