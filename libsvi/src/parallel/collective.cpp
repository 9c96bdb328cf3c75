#include "svi/parallel/collective.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi {

Collective::~Collective() = default;

void Collective::check_exchange(const std::vector<at::Tensor>& send,
                                const std::vector<at::Tensor>& receive, int rank, int ranks) {
  const auto count = static_cast<std::size_t>(ranks);
  SVI_CHECK(send.size() == count && receive.size() == count, "an exchange among ", ranks,
            " ranks takes a tensor for and from each, not ", send.size(), " and ", receive.size());
  const auto own = static_cast<std::size_t>(rank);
  SVI_CHECK(send[own].sizes() == receive[own].sizes(), "rank ", rank, " sends itself ",
            send[own].sizes(), " and expects ", receive[own].sizes());
  for (const auto* tensors : {&send, &receive}) {
    for (const auto& tensor : *tensors) {
      SVI_CHECK(
          tensor.scalar_type() == send[0].scalar_type() && tensor.device() == send[0].device(),
          "tensors of an exchange differ: ", tensor.scalar_type(), " on ", tensor.device(),
          " beside ", send[0].scalar_type(), " on ", send[0].device());
    }
  }
}

}  // namespace svi
