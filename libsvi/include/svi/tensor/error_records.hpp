#pragma once

#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/tensor/banked_error.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Columns of "errors" as `pack_errors` writes them, in order.
SVI_EXPORT const std::vector<std::string>& error_columns();

/// Errors as tensors of a file, whatever bank they come from, in the order given:
///   "errors"    fp64 [N, 10]           one row per error, columns as in `error_columns`
///   "residual"  [N, C, F, h, w]        in the dtype of the first error
///   "offset"    [M, C, F, h, w] fp32   the offsets there are; absent if there are none. The
///               columns data_offset and noise_offset name rows of it, -1 for none; one that both
///               ends share is kept once.
/// F is the largest number of frames; what an error has fewer, column frames, is zeros.
/// Throws svi::Error if residuals differ in more than their frames.
SVI_EXPORT NamedTensors pack_errors(const std::vector<BankedError>& errors);

/// The errors again. Throws IoError naming `origin` and what is wrong for anything that is not what
/// `pack_errors` makes.
SVI_EXPORT std::vector<BankedError> unpack_errors(const NamedTensors& tensors,
                                                  const std::string& origin);

}  // namespace svi
