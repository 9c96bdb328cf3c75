#include "svi/tensor/random.hpp"

#include <ATen/ATen.h>

namespace svi {

at::Tensor normal(const RandomKey& key, at::IntArrayRef sizes) {
  auto values = at::empty(sizes, at::TensorOptions().dtype(at::kFloat).device(at::kCPU));
  fill_normal(key, values.mutable_data_ptr<float>(), values.numel());
  return values;
}

}  // namespace svi
