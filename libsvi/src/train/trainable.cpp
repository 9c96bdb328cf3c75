#include "svi/train/trainable.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi {

NamedTensors trainable(const Lora& lora) {
  SVI_CHECK(lora.flat_grad().defined(), "the adapters collect no gradients");
  auto named = lora.tensors();  // A, then B of each adapter, but detached
  std::size_t i = 0;
  for (const auto& adapter : lora.adapters()) {
    named[i++].second = adapter.a;
    named[i++].second = adapter.b;
  }
  return named;
}

NamedTensors trainable(ModelExtension& extension) {
  extension.require_grad(true);
  NamedTensors named;
  for (const auto& [name, tensor] : extension.parameters())
    named.emplace_back(cat(kExtensionPrefix, extension.label(), ".", name), tensor);
  return named;
}

NamedTensors trainable(WanDit& dit) {
  dit.require_grad(true);
  return dit.parameters();
}

}  // namespace svi
