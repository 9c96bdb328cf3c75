#include "model/wan/dense.hpp"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>

#include "model/wan/flash_kernel.hpp"

namespace svi::wan {
namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using Pointwise = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                             c10::string_view, Scalars, std::optional<c10::string_view>);

// LibTorch's oneDNN product with an epilogue, or none if it was built without.
const std::optional<c10::TypedOperatorHandle<Pointwise>>& onednn() {
  static const auto found = [] {
    std::optional<c10::TypedOperatorHandle<Pointwise>> typed;
    const auto handle = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (handle && at::hasMKLDNN()) typed = handle->typed<Pointwise>();
    return typed;
  }();
  return found;
}

bool takes(const at::Tensor& x, const at::Tensor& weight) {
  // Below this many multiplications the call costs more than the product.
  constexpr std::int64_t kFewest = 1 << 17;
  const auto type = x.scalar_type();
  // Where the CPU has no bf16 products, LibTorch knows what to do instead.
  const bool fits = type == at::kFloat || (type == at::kBFloat16 && has_flash_kernel());
  return x.is_cpu() && fits && weight.scalar_type() == type &&
         x.numel() * weight.size(0) >= kFewest && onednn().has_value();
}

std::optional<at::Tensor> maybe(const at::Tensor& t) {
  return t.defined() ? std::optional(t) : std::nullopt;
}

}  // namespace

at::Tensor dense(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!takes(x, weight)) return at::linear(x, weight, maybe(bias));
  return onednn()->call(x, weight, maybe(bias), "none", Scalars(), "");
}

at::Tensor dense_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (!takes(x, weight)) return at::gelu(at::linear(x, weight, maybe(bias)), "tanh");
  return onednn()->call(x, weight, maybe(bias), "gelu", Scalars(), "tanh");
}

}  // namespace svi::wan
