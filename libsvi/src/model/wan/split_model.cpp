#include "svi/model/wan/split_model.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <array>
#include <cstring>

#include "svi/core/log.hpp"
#include "svi/parallel/shard.hpp"

namespace svi {
namespace {

// A message: what to do, then the latent, the timestep and the number of condition parts, then each
// part's name and tensor. A tensor is its number of dimensions, its sizes and its values in fp32.
enum class Task : char { velocity, samples, probe, finish };

void append(std::string& bytes, std::int64_t number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void append(std::string& bytes, const at::Tensor& tensor) {
  append(bytes, tensor.dim());
  for (const auto size : tensor.sizes()) append(bytes, size);
  const auto values = tensor.to(at::kCPU, at::kFloat).contiguous();
  bytes.append(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
}

std::int64_t take_number(const char*& next) {
  std::int64_t value = 0;
  std::memcpy(&value, next, sizeof value);
  next += sizeof value;
  return value;
}

at::Tensor take(const char*& next) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(take_number(next)));
  for (auto& size : sizes) size = take_number(next);
  auto tensor = at::empty(sizes, at::kFloat);
  std::memcpy(tensor.mutable_data_ptr(), next, tensor.nbytes());
  next += tensor.nbytes();
  return tensor;
}

std::string message(Task task, const at::Tensor& noisy, const at::Tensor& timestep,
                    const Condition& condition) {
  std::string bytes(1, static_cast<char>(task));
  append(bytes, noisy);
  append(bytes, timestep);
  const auto names = condition.names();
  append(bytes, static_cast<std::int64_t>(names.size()));
  for (const auto& name : names) {
    append(bytes, static_cast<std::int64_t>(name.size()));
    bytes += name;
    append(bytes, condition[name]);
  }
  return bytes;
}

Condition take_condition(const char*& next) {
  Condition condition;
  for (auto left = take_number(next); left > 0; --left) {
    const auto size = static_cast<std::size_t>(take_number(next));
    const std::string name(next, size);
    next += size;
    condition.set(name, take(next));
  }
  return condition;
}

/// The velocity of a batch whose samples the ranks share, on every rank. Collective.
at::Tensor velocity_by_samples(const WanDit& dit, const Communicator& group,
                               const at::Tensor& noisy, const at::Tensor& timestep,
                               const Condition& condition) {
  const auto own = slots_of(group.rank(), group.size(), noisy.size(0));
  std::string bytes;
  for (auto b = own.first; b < own.first + own.count; ++b) {
    const auto row = at::full({1}, b, at::TensorOptions(at::kLong).device(noisy.device()));
    append(bytes,
           dit.velocity(noisy.narrow(0, b, 1), timestep.narrow(0, b, 1), condition.rows(row)));
  }
  std::vector<at::Tensor> rows;
  for (const auto& of_rank : group.all_gather(bytes)) {
    const char* next = of_rank.data();
    while (next < of_rank.data() + of_rank.size()) rows.push_back(take(next));
  }
  return at::cat(rows).to(noisy.device());
}

}  // namespace

at::Tensor SplitModel::velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                                const Condition& condition) const {
  passing_ = true;
  const bool samples = share_ == PassShare::samples;
  group_.broadcast(message(samples ? Task::samples : Task::velocity, noisy, timestep, condition));
  auto velocity = samples ? velocity_by_samples(dit_, group_, noisy, timestep, condition)
                          : dit_.velocity(noisy, timestep, condition);
  passing_ = false;
  return velocity;
}

std::string SplitModel::first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                                         const Condition& condition) const {
  if (share_ == PassShare::samples) return dit_.first_non_finite(noisy, timestep, condition);
  passing_ = true;
  group_.broadcast(message(Task::probe, noisy, timestep, condition));
  auto found = dit_.first_non_finite(noisy, timestep, condition);
  passing_ = false;
  return found;
}

SplitModel::~SplitModel() {
  if (passing_) return;
  try {
    group_.broadcast(std::string(1, static_cast<char>(Task::finish)));
  } catch (const std::exception& error) {
    SVI_WARN("ranks", "could not let the other ranks go: ", error.what());
  }
}

void compute_along(const WanDit& dit, const Communicator& group, const StopRequest& stop) {
  const c10::NoGradGuard no_grad;
  for (;;) {
    stop.requested();  // rank 0, which stops, hears of a signal to this one
    const auto bytes = group.broadcast({});
    const auto task = static_cast<Task>(bytes.at(0));
    if (task == Task::finish) return;
    const char* next = bytes.data() + 1;
    const auto noisy = take(next), timestep = take(next);
    const auto condition = take_condition(next);
    if (task == Task::velocity) {
      dit.velocity(noisy, timestep, condition);
    } else if (task == Task::samples) {
      velocity_by_samples(dit, group, noisy, timestep, condition);
    } else {
      static_cast<void>(dit.first_non_finite(noisy, timestep, condition));
    }
  }
}

}  // namespace svi
