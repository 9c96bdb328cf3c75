#include "svi/model/wan/dense.hpp"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>

#include "model/wan/kernels/product.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/instruction_set.hpp"

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

std::optional<Stored> storage_of(const at::Tensor& t) {
  switch (t.scalar_type()) {
    case at::kFloat:
      return Stored::fp32;
    case at::kBFloat16:
      return Stored::bf16;
    case at::kHalf:
      return Stored::fp16;
    case at::kFloat8_e4m3fn:
      return Stored::fp8_e4m3;
    case at::kFloat8_e5m2:
      return Stored::fp8_e5m2;
    case at::kChar:
      return Stored::int8;
    default:
      return std::nullopt;
  }
}

enum class Way { library, onednn, own };

Way way(const at::Tensor& x, const at::Tensor& weight) {
  const auto type = x.scalar_type();
  if (!x.is_cpu() || (type != at::kFloat && type != at::kBFloat16)) return Way::library;
  if (weight.scalar_type() != type) return Way::own;
  // Below this many multiplications the call costs more than the product.
  constexpr std::int64_t kFewest = 1 << 17;
  const bool worthwhile = x.numel() * weight.size(0) >= kFewest;
  if (type == at::kBFloat16 && !multiplies_bf16()) return Way::own;
  if (!worthwhile) return Way::library;
  // LibTorch's own fp32 product is MKL's, which uses narrow vectors on processors that are not
  // Intel's.
  if (instruction_set() == InstructionSet::avx2) return Way::own;
  return onednn() ? Way::onednn : Way::library;
}

Lines lines_of(const at::Tensor& t) {
  return {.data = t.const_data_ptr(),
          .stored = *storage_of(t),
          .lines = t.size(0),
          .length = t.size(1),
          .line = t.stride(0),
          .number = t.stride(1)};
}

at::Tensor own(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
               const at::Tensor& scale, bool gelu) {
  SVI_CHECK(storage_of(weight) && (weight.scalar_type() != at::kChar || scale.defined()),
            "a weight stored as ", weight.scalar_type(), " can't be multiplied by ",
            x.scalar_type());
  const auto rows = x.reshape({-1, x.size(-1)}).contiguous();
  const bool strided = weight.stride(0) == 1 || weight.stride(1) == 1;
  const auto matrix = strided && !scale.defined() ? weight : weight.contiguous();
  const auto offsets = bias.defined() ? bias.to(at::kFloat).contiguous() : bias;
  auto sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  auto y = at::empty(sizes, x.options());
  auto w = lines_of(matrix);
  if (scale.defined()) {
    w.scale = scale.const_data_ptr<float>();
    w.groups = scale.size(1);
  }
  product(lines_of(rows), w,
          {.data = y.mutable_data_ptr(),
           .stored = *storage_of(y),
           .stride = weight.size(0),
           .bias = bias.defined() ? offsets.const_data_ptr<float>() : nullptr,
           .gelu = gelu});
  return y;
}

// Whether our own product takes these fp32 matrices, and is the fastest one.
bool is_own(const at::Tensor& out, const at::Tensor& x, const at::Tensor& w) {
  const auto fits = [](const at::Tensor& t) {
    return t.is_cpu() && t.scalar_type() == at::kFloat && (t.stride(0) == 1 || t.stride(1) == 1);
  };
  return instruction_set() == InstructionSet::avx2 && fits(x) && fits(w) && fits(out) &&
         out.stride(1) == 1;
}

ProductResult result_in(const at::Tensor& out) {
  return {.data = out.mutable_data_ptr(), .stored = Stored::fp32, .stride = out.stride(0)};
}

std::optional<at::Tensor> maybe(const at::Tensor& t) {
  return t.defined() ? std::optional(t) : std::nullopt;
}

}  // namespace

void product_into(const at::Tensor& out, const at::Tensor& x, const at::Tensor& w,
                  const at::Tensor& bias) {
  auto target = out;
  if (is_own(out, x, w)) {
    auto result = result_in(out);
    if (bias.defined()) result.bias = bias.const_data_ptr<float>();
    product(lines_of(x), lines_of(w), result);
  } else if (bias.defined()) {
    at::addmm_out(target, bias, x, w.t());
  } else {
    at::mm_out(target, x, w.t());
  }
}

void add_product(const at::Tensor& out, const at::Tensor& x, const at::Tensor& w) {
  if (!is_own(out, x, w)) {
    out.addmm_(x, w.t());
    return;
  }
  auto result = result_in(out);
  result.add = true;
  product(lines_of(x), lines_of(w), result);
}

at::Tensor product_of(const at::Tensor& x, const at::Tensor& w) {
  const auto out = at::empty({x.size(0), w.size(0)}, x.options());
  product_into(out, x, w);
  return out;
}

bool multiplies_stored(const at::Tensor& weight) {
  return weight.is_cpu() && storage_of(weight) && !multiplies_bf16();
}

at::Tensor dense(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                 const at::Tensor& scale) {
  switch (way(x, weight)) {
    case Way::own:
      return own(x, weight, bias, scale, false);
    case Way::onednn:
      return onednn()->call(x, weight, maybe(bias), "none", Scalars(), "");
    case Way::library:
      break;
  }
  return at::linear(x, weight, maybe(bias));
}

at::Tensor dense_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      const at::Tensor& scale) {
  switch (way(x, weight)) {
    case Way::own:
      return own(x, weight, bias, scale, true);
    case Way::onednn:
      return onednn()->call(x, weight, maybe(bias), "gelu", Scalars(), "tanh");
    case Way::library:
      break;
  }
  auto y = at::linear(x, weight, maybe(bias));
  return at::gelu_(y, "tanh");  // in place: the widest tensor of a block is there once
}

}  // namespace svi::wan
