#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <filesystem>
#include <memory>

namespace svi {

/// A whole file in memory, copy on write: nothing is read before it is used.
class Mapping {
 public:
  /// Throws IoError if it is no file or cannot be mapped.
  explicit Mapping(const std::filesystem::path& path);
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  char* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A tensor over bytes that `owner` keeps alive; a copy where they are not aligned for the dtype.
/// The caller has checked that sizes and strides stay within the bytes.
at::Tensor tensor_over(char* data, at::IntArrayRef sizes, at::IntArrayRef strides,
                       at::ScalarType dtype, const std::shared_ptr<void>& owner);

}  // namespace svi
