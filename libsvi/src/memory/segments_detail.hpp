#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "memory/nearest_detail.hpp"

namespace svi::detail {

/// Pixels per block of the coarse part.
inline constexpr std::size_t kBlockRows = 4, kBlockColumns = 8;

/// How a residual [C, F, h, w] is cut into planes, segments and blocks.
struct Segments {
  std::size_t planes, rows, columns;

  /// Of so many tensors of this shape, one after the other.
  explicit Segments(const at::Tensor& residual, std::int64_t tensors = 1)
      : planes(static_cast<std::size_t>(tensors * residual.size(0) * residual.size(1))),
        rows(static_cast<std::size_t>(residual.size(2))),
        columns(static_cast<std::size_t>(residual.size(3))) {}

  std::size_t size() const { return planes * plane(); }
  std::size_t plane() const { return rows * columns; }
  std::size_t first_plane(std::size_t segment) const { return planes * segment / kSegments; }
  std::size_t begin(std::size_t segment) const { return first_plane(segment) * plane(); }
  std::size_t blocks_per_plane() const {
    return ((rows + kBlockRows - 1) / kBlockRows) * ((columns + kBlockColumns - 1) / kBlockColumns);
  }
};

/// The elements of a tensor whose dtype T stands for (bf16 as its bits).
template <class T>
const T* elements(const at::Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}

/// Coarse coefficients of one plane, `to` [blocks_per_plane]. `scratch` [columns].
template <class T, class Columns>
void coarse_plane(const T* plane, const Segments& cut, Columns columns, float* scratch, float* to) {
  for (std::size_t row = 0; row < cut.rows; row += kBlockRows) {
    const auto height = std::min(kBlockRows, cut.rows - row);
    columns(plane + row * cut.columns, height, cut.columns, scratch);
    for (std::size_t column = 0; column < cut.columns; column += kBlockColumns) {
      const auto width = std::min(kBlockColumns, cut.columns - column);
      float sum = 0;
      for (std::size_t i = 0; i < width; ++i) sum += scratch[column + i];
      *to++ = sum / std::sqrt(static_cast<float>(height * width));
    }
  }
}

}  // namespace svi::detail
