#pragma once

#include <string>

#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Weights kept in 8 bits with a scale beside them, multiplied out to bf16; what only marks them or
/// scales their inputs is dropped. All other tensors are shared as they are: fp8 weights of a file
/// without any scale or mark are plain numbers.
///
/// Throws IoError naming `origin` and the tensor for a file whose numbers would be wrong: a scale
/// is missing, belongs to nothing, does not fit or is no number; whole numbers without a scale;
/// weights packed by a scheme unknown here. `marked` says that something outside the tensors (the
/// file's metadata) calls them scaled. Without `values` the products have shapes only (`meta`).
NamedTensors multiplied_out(const NamedTensors& weights, const std::string& origin,
                            bool marked = false, bool values = true);

}  // namespace svi
