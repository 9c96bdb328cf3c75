#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace svi::wan {

/// A part of a network as a function of every tensor of the graph that it reads; parameters that
/// are leaves may be captured, anything else that leads to a gradient must be an input.
using Body = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

/// body(inputs), whose intermediate results are computed again in the backward pass instead of kept
/// (activation checkpointing; Chen et al. 2016, arXiv 1604.06174). Undefined inputs stay undefined.
///
/// What the body captures by reference must live until the backward pass. Where nothing records
/// gradients it is a plain call. The numbers and the gradients are those of the plain call.
std::vector<at::Tensor> recomputed(const Body& body, const std::vector<at::Tensor>& inputs);

}  // namespace svi::wan
