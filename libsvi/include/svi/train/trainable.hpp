#pragma once

#include "svi/core/export.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// The adapters as a Trainer takes them: leaf tensors under their official names.
/// Throws Error if the adapters collect no gradients (Lora::require_grad).
SVI_EXPORT NamedTensors trainable(const Lora& lora);

/// The parameters of an extension as a Trainer takes them: leaf tensors under "extension.LABEL."
/// and their official names. Makes them collect gradients.
SVI_EXPORT NamedTensors trainable(ModelExtension& extension);

/// Every weight of the model as a Trainer takes it; makes the weights collect gradients.
SVI_EXPORT NamedTensors trainable(WanDit& dit);

}  // namespace svi
