#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/core/check.hpp"
#include "svi/train/trainer.hpp"
#include "train/state_detail.hpp"

// State: "trainer.counters" int64 [3] = steps done, slots, micro_batch; "parameters.NAME" fp32 and,
// with an average, "average.NAME"; then the optimiser's and the recycler's own tensors.

namespace svi {

namespace {

/// A flat buffer as named copies of the shapes of `like`.
void append_named(NamedTensors& state, const std::string& prefix, const at::Tensor& flat,
                  const NamedTensors& like) {
  std::int64_t offset = 0;
  for (const auto& [name, tensor] : like) {
    state.emplace_back(prefix + name,
                       flat.narrow(0, offset, tensor.numel()).view(tensor.sizes()).clone());
    offset += tensor.numel();
  }
}

at::Tensor flat_of(const detail::StateReader& reader, const std::string& prefix,
                   const NamedTensors& like) {
  std::vector<at::Tensor> flat;
  for (const auto& [name, tensor] : like) {
    flat.push_back(reader.get(prefix + name, tensor.sizes()).to(at::kFloat).flatten());
  }
  return at::cat(flat);
}

}  // namespace

NamedTensors Trainer::averaged() const {
  const c10::NoGradGuard no_grad;
  NamedTensors result;
  append_named(result, "", average_.defined() ? average_ : parameters_, parts_.trainable);
  return result;
}

NamedTensors Trainer::state() const {
  const c10::NoGradGuard no_grad;
  NamedTensors state = {{"trainer.counters",
                         at::tensor({steps_done_, config_.slots, config_.micro_batch}, at::kLong)}};
  append_named(state, "parameters.", parameters_, parts_.trainable);
  if (average_.defined()) append_named(state, "average.", average_, parts_.trainable);
  for (auto& entry : optimizer_->state()) state.push_back(std::move(entry));
  if (parts_.recycler != nullptr) {
    for (auto& entry : parts_.recycler->state()) state.push_back(std::move(entry));
  }
  return state;
}

void Trainer::load(const NamedTensors& state) {
  const c10::NoGradGuard no_grad;
  const detail::StateReader reader(state);
  const auto counters = reader.get("trainer.counters", {3}).to(at::kCPU, at::kLong).contiguous();
  const auto* counts = counters.const_data_ptr<std::int64_t>();
  if (counts[1] != config_.slots || counts[2] != config_.micro_batch) {
    raise<IoError>("the checkpoint was made with [training] slots = ", counts[1],
                   ", micro_batch = ", counts[2], "; this run has ", config_.slots, " and ",
                   config_.micro_batch, ": use the same");
  }
  const auto parameters = flat_of(reader, "parameters.", parts_.trainable);
  if (average_.defined()) average_.copy_(flat_of(reader, "average.", parts_.trainable));
  optimizer_->load(state);
  if (parts_.recycler != nullptr) parts_.recycler->load(state);
  parameters_.copy_(parameters);
  write_parameters();
  steps_done_ = counts[0];
}

}  // namespace svi
