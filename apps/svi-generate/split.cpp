#include "split.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <array>
#include <cstring>

namespace svi::generate {
namespace {

// A message: what to do, then the five tensors, each as its number of dimensions (-1: undefined),
// its sizes and its values in fp32.
enum class Task : char { velocity, probe, finish };

void append(std::string& bytes, const at::Tensor& tensor) {
  const auto put = [&](std::int64_t number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  };
  put(tensor.defined() ? tensor.dim() : -1);
  if (!tensor.defined()) return;
  for (const auto size : tensor.sizes()) put(size);
  const auto values = tensor.to(at::kCPU, at::kFloat).contiguous();
  bytes.append(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
}

at::Tensor take(const char*& next) {
  const auto number = [&] {
    std::int64_t value = 0;
    std::memcpy(&value, next, sizeof value);
    next += sizeof value;
    return value;
  };
  const auto dims = number();
  if (dims < 0) return {};
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(dims));
  for (auto& size : sizes) size = number();
  auto tensor = at::empty(sizes, at::kFloat);
  std::memcpy(tensor.mutable_data_ptr(), next, tensor.nbytes());
  next += tensor.nbytes();
  return tensor;
}

std::string message(Task task, const at::Tensor& noisy, const at::Tensor& timestep,
                    const Condition& condition) {
  std::string bytes(1, static_cast<char>(task));
  for (const auto& tensor : {noisy, timestep, condition.text, condition.image, condition.clip})
    append(bytes, tensor);
  return bytes;
}

}  // namespace

at::Tensor SplitModel::velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                                const Condition& condition) const {
  group_.broadcast(message(Task::velocity, noisy, timestep, condition));
  return dit_.velocity(noisy, timestep, condition);
}

std::string SplitModel::first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                                         const Condition& condition) const {
  group_.broadcast(message(Task::probe, noisy, timestep, condition));
  return dit_.first_non_finite(noisy, timestep, condition);
}

void SplitModel::finish() const {
  group_.broadcast(std::string(1, static_cast<char>(Task::finish)));
}

void compute_along(const WanDit& dit, const Communicator& group) {
  const c10::NoGradGuard no_grad;
  for (;;) {
    const auto bytes = group.broadcast({});
    const auto task = static_cast<Task>(bytes.at(0));
    if (task == Task::finish) return;
    const char* next = bytes.data() + 1;
    const auto noisy = take(next), timestep = take(next);
    const Condition condition{.text = take(next), .image = take(next), .clip = take(next)};
    if (task == Task::velocity) {
      dit.velocity(noisy, timestep, condition);
    } else {
      static_cast<void>(dit.first_non_finite(noisy, timestep, condition));
    }
  }
}

}  // namespace svi::generate
