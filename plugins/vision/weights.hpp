#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <unordered_map>

#include "svi/tensor/named_tensors.hpp"

namespace svi::vision {

/// The tensors of one file of weights, taken one by one as a network is put together. What a file
/// lacks, has in another size or has too much is an IoError that names file, tensor and sizes.
class Weights {
 public:
  /// `origin` is the file as the user knows it.
  Weights(NamedTensors stored, std::string origin, at::Device device = at::kCPU);
  /// Opens a file: safetensors, .pth, or a TorchScript archive.
  static Weights open(const std::string& path, at::Device device = at::kCPU);

  /// The tensor of that name as fp32 on the device; each can be taken once.
  at::Tensor take(const std::string& name, at::IntArrayRef sizes);
  /// The same, of any sizes: for those that tell how large a network is.
  at::Tensor take(const std::string& name);
  bool has(const std::string& name) const { return stored_.contains(name); }
  /// Size along one dimension of a tensor that is still there.
  std::int64_t size(const std::string& name, std::int64_t dim) const;
  /// Number of i with a tensor "<prefix><i><suffix>", counted from 0.
  std::int64_t count(const std::string& prefix, const std::string& suffix) const;

  /// Renames what is there; an empty new name drops the tensor.
  void rename(const std::function<std::string(const std::string&)>& to);
  /// Call when the network is whole: throws IoError if a tensor is left.
  void finish() const;

  const std::string& origin() const { return origin_; }
  at::Device device() const { return device_; }

 private:
  std::unordered_map<std::string, at::Tensor> stored_;
  std::string origin_;
  at::Device device_;
};

}  // namespace svi::vision
