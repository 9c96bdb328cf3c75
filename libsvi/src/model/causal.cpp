#include "svi/model/causal.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi {

CausalModel::~CausalModel() = default;

std::int64_t FrameKeys::bytes() const {
  std::int64_t sum = 0;
  for (const auto* tensors : {&keys, &values}) {
    for (const auto& tensor : *tensors) sum += static_cast<std::int64_t>(tensor.nbytes());
  }
  return sum;
}

FrameKeys FrameKeys::only(const std::vector<std::int64_t>& places) const {
  for (const auto place : places)
    SVI_CHECK(place >= 0 && place < frames, "frame ", place, " of ", frames, " cached ones");
  const auto index = at::tensor(places, at::kLong);
  const auto chosen = [&](const std::vector<at::Tensor>& of) {
    std::vector<at::Tensor> some;
    for (const auto& tensor : of) {
      some.push_back(tensor.unflatten(1, {frames, tensor.size(1) / frames})
                         .index_select(1, index.to(tensor.device()))
                         .flatten(1, 2));
    }
    return some;
  };
  if (places.empty()) return {};
  return {chosen(keys), chosen(values), static_cast<std::int64_t>(places.size())};
}

void FrameKeys::append(const FrameKeys& more) {
  if (empty()) {
    *this = more;
    return;
  }
  SVI_CHECK(keys.size() == more.keys.size(), "a cache of ", keys.size(), " blocks, and frames of ",
            more.keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    SVI_CHECK(keys[i].size(0) == more.keys[i].size(0) && keys[i].size(2) == more.keys[i].size(2),
              "cached keys ", keys[i].sizes(), " do not fit ", more.keys[i].sizes());
    keys[i] = at::cat({keys[i], more.keys[i]}, 1);
    values[i] = at::cat({values[i], more.values[i]}, 1);
  }
  frames += more.frames;
}

}  // namespace svi
