#pragma once

#include <ATen/core/Tensor.h>

#include "model/wan/kernels/row_kernels.hpp"

namespace svi::wan {

/// A tensor's data as the row kernels take it: float for fp32, Bf16Bits for bf16.
template <class T>
const T* numbers(const at::Tensor& t) {
  if constexpr (std::is_same_v<T, float>) {
    return t.const_data_ptr<float>();
  } else {
    return reinterpret_cast<const T*>(t.const_data_ptr<at::BFloat16>());
  }
}

template <class T>
T* mutable_numbers(const at::Tensor& t) {
  if constexpr (std::is_same_v<T, float>) {
    return t.mutable_data_ptr<float>();
  } else {
    return reinterpret_cast<T*>(t.mutable_data_ptr<at::BFloat16>());
  }
}

}  // namespace svi::wan
