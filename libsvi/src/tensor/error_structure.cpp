#include "svi/tensor/error_structure.hpp"

#include <ATen/ATen.h>

#include "svi/tensor/random.hpp"

namespace svi {

namespace {

at::Tensor rms(const at::Tensor& tensor, bool per_channel) {  // [C, F, h, w] -> broadcastable
  const auto squares = tensor.square();
  return (per_channel ? squares.mean({1, 2, 3}, true) : squares.mean()).sqrt();
}

}  // namespace

std::vector<std::string> enum_names(ErrorStructure) { return {"intact", "shuffled", "gaussian"}; }

at::Tensor permute_places(const at::Tensor& error, const RandomKey& key) {
  const auto order = at::tensor(permutation(key, error[0].numel())).to(error.device());
  return error.flatten(1).index_select(1, order).view(error.sizes());
}

at::Tensor gaussian_like(const at::Tensor& error, bool per_channel, const RandomKey& key) {
  const auto noise = normal(key, error.sizes()).to(error.device());
  // Divided by its own RMS: a draw of few values would miss the power by chance.
  return noise * (rms(error, per_channel) / rms(noise, per_channel));
}

at::Tensor restructured(const at::Tensor& error, ErrorStructure structure, const RandomKey& key) {
  switch (structure) {
    case ErrorStructure::intact:
      return error;
    case ErrorStructure::shuffled:
      return permute_places(error, key);
    case ErrorStructure::gaussian:
      return gaussian_like(error, /*per_channel=*/true, key);
  }
  return error;
}

}  // namespace svi
