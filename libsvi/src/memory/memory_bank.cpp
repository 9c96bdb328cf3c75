#include "svi/memory/memory_bank.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/tensor/dims.hpp"

namespace svi {

namespace {

void check(const Recall& request) {
  SVI_CHECK(
      request.sigma_low >= 0 && request.sigma_low <= request.sigma_high && request.sigma_high <= 1,
      "recall range ", request.sigma_low, " .. ", request.sigma_high, " is not within [0, 1]");
}

void check_offset(const at::Tensor& offset, const BankedError& error, const char* name) {
  SVI_CHECK(!offset.defined() || offset.sizes() == error.residual.sizes(), name, " ",
            offset.sizes(), " vs residual ", error.residual.sizes());
}

}  // namespace

MemoryBank::~MemoryBank() = default;

void MemoryBank::store(const BankedError& error, const RandomKey& key) {
  dims<4>(error.residual, "residual [C, F, h, w]");
  SVI_CHECK(error.residual.numel() > 0, "the residual is empty: ", error.residual.sizes());
  SVI_CHECK(error.sigma >= 0 && error.sigma <= 1, "sigma ", error.sigma, " is outside [0, 1]");
  if (error.data_offset.defined()) check_offset(error.data_offset, error, "data_offset");
  if (error.noise_offset.defined()) check_offset(error.noise_offset, error, "noise_offset");
  const c10::NoGradGuard no_grad;
  do_store(error, key);
}

std::optional<Recalled> MemoryBank::recall_entry(const Recall& request) const {
  check(request);
  const c10::NoGradGuard no_grad;
  return do_recall(request);
}

std::optional<at::Tensor> MemoryBank::recall(const Recall& request) const {
  auto recalled = recall_entry(request);
  return recalled ? std::optional(std::move(recalled->error)) : std::nullopt;
}

std::optional<BankLimit> MemoryBank::limit(at::IntArrayRef shape, std::int64_t tensors) const {
  SVI_CHECK(shape.size() == 4 && tensors > 0, "errors of ", tensors, " tensors ", shape);
  return do_limit(shape, tensors);
}

std::optional<BankLimit> MemoryBank::do_limit(at::IntArrayRef, std::int64_t) const {
  return std::nullopt;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): those who override it keep it
void MemoryBank::do_keep_in(std::shared_ptr<NodeMemory>) {}

bool MemoryBank::has(const Recall& request) const {
  check(request);
  return do_has(request);
}

}  // namespace svi
