#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// The directions of damage that damage_pattern() knows.
SVI_EXPORT const std::vector<std::string>& damage_names();

/// What frames look like with more of a damage: frames [..., 3, H, W] in [0, 1] to fp64 patterns of
/// the same shape on the CPU.
///
/// `brightness`, `tint` (red up, blue down), `low_frequency` (each channel a random mixture of
/// waves of up to two cycles per picture), `blocks` (one normal number per channel and 4 x 4
/// pixels) and `noise` (one per channel and pixel) are the same in all frames, with an RMS of 1;
/// the random three are functions of the seed and have no mean. `blur` is blurred frame minus
/// frame, with the binomial weights 1 4 6 4 1 each way. Throws ConfigError for another name.
SVI_EXPORT at::Tensor damage_pattern(const std::string& name, const at::Tensor& frames,
                                     std::uint64_t seed);

}  // namespace svi
