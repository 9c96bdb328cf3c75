#include "svi/io/checksum.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"

namespace svi {

std::string checksum(const NamedTensors& tensors, const std::string& facts) {
  std::map<std::string, const at::Tensor*> sorted;
  for (const auto& [name, tensor] : tensors) sorted.emplace(name, &tensor);
  Sha256 sum;
  sum.add(cat(facts.size(), " ", facts));
  for (const auto& [name, tensor] : sorted) {
    const auto data = tensor->detach().to(at::kCPU).contiguous();
    sum.add(cat(name.size(), " ", name, " ", c10::toString(data.scalar_type()), " ", data.sizes()));
    sum.add(data.const_data_ptr(), data.nbytes());
  }
  return sum.hex();
}

}  // namespace svi
