#include <ATen/ATen.h>

#include <cstdlib>

#include "memory/storage_detail.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace svi::detail {

namespace {

constexpr std::size_t kLargePage = std::size_t{2} << 20;

at::Tensor allocate(at::IntArrayRef sizes, at::ScalarType dtype, std::size_t bytes) {
  const auto options = at::TensorOptions().dtype(dtype).device(at::kCPU);
#ifdef __linux__
  // Advice covers whole large pages only, plus a last one that is nearly full, so that little is
  // wasted.
  const auto advised = (bytes + kLargePage / 16) / kLargePage * kLargePage;
  if (advised > 0) {
    void* memory =
        std::aligned_alloc(kLargePage, (bytes + kLargePage - 1) / kLargePage * kLargePage);
    if (memory != nullptr) {
      madvise(memory, advised, MADV_HUGEPAGE);  // only advice: failing costs speed alone
      return at::from_blob(
          memory, sizes, [](void* p) { std::free(p); }, options);
    }
  }
#endif
  return at::empty(sizes, options);
}

}  // namespace

at::Tensor stored_copy(const at::Tensor& tensor, at::ScalarType dtype) {
  if (!tensor.defined()) return {};
  const auto bytes = static_cast<std::size_t>(tensor.numel()) * c10::elementSize(dtype);
  auto copy = allocate(tensor.sizes(), dtype, bytes);
  copy.copy_(tensor.detach());
  return copy;
}

}  // namespace svi::detail
