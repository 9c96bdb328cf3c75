#include "svi/model/wan/dit_placement.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <limits>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "model/wan/dit/block_feed.hpp"
#include "model/wan/dit/dit_parts.hpp"
#include "model/wan/dit/quantised.hpp"
#include "svi/core/check.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace {

bool is_number(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kDouble || dtype == at::kHalf ||
         dtype == at::kBFloat16;
}

bool can_be_stored(at::ScalarType dtype) {
  return is_number(dtype) || dtype == at::kFloat8_e4m3fn || dtype == at::kFloat8_e5m2;
}

// What the official code computes in fp32 whatever the model's dtype.
bool is_fine(std::string_view name) {
  return name.ends_with("modulation") || name.starts_with("time_") ||
         name.find(".norm3.") != std::string_view::npos || name.starts_with("img_emb.proj.0.") ||
         name.starts_with("img_emb.proj.4.");
}

// Weights of the meta device have no values to move; they take the dtype alone.
at::Tensor moved(const at::Tensor& weight, const at::Device& device, at::ScalarType dtype) {
  return weight.to(weight.is_meta() ? weight.device() : device, dtype).contiguous();
}

void check_placement(const DitPlacement& placement) {
  if (!is_number(placement.compute)) {
    raise<ConfigError>("a transformer computes in fp32, bf16, fp16 or fp64, not in ",
                       placement.compute);
  }
  if (placement.device.is_meta()) raise<ConfigError>("the meta device holds no weights");
  if (placement.resident_blocks < -1) {
    raise<ConfigError>("resident_blocks is ", placement.resident_blocks,
                       "; give a number of blocks, or -1 for all");
  }
}

// A layer of a block that stays on the device.
void keep(WanLinear& layer, const DitPlacement& placement) {
  if (layer.weight.is_meta()) return;
  const bool convert = placement.storage == WeightStorage::compute && !layer.scale.defined();
  layer.weight =
      layer.weight.to(placement.device, convert ? placement.compute : layer.weight.scalar_type());
  if (layer.scale.defined()) layer.scale = layer.scale.to(placement.device);
}

// A layer of a block that is brought as it is needed.
void leave(WanLinear& layer) {
  if (layer.weight.is_meta()) return;
  layer.weight = layer.weight.cpu();
  if (layer.scale.defined()) layer.scale = layer.scale.cpu();
}

}  // namespace

LoadReport WanDit::adopt(const NamedTensors& weights, const std::string& origin) {
  auto report = match(parameters(), weights);
  if (!report.complete()) {
    raise<IoError>(origin, ": these weights do not fit the model: ", report.text(),
                   "\nCheck that the file and the model's sizes belong together.");
  }
  std::unordered_map<std::string_view, const at::Tensor*> given;
  for (const auto& [name, tensor] : weights) {
    if (!can_be_stored(tensor.scalar_type())) {
      raise<IoError>(origin, ": ", name, " is stored as ", tensor.scalar_type(),
                     "; weights are fp32, bf16, fp16, fp64 or fp8");
    }
    given.emplace(name, &tensor);
  }
  visit_weights(*parts_, [&](const std::string& name, at::Tensor& weight) {
    weight = given.at(name)->detach();
  });
  visit_block_linears(*parts_,
                      [](const std::string&, WanLinear& layer) { layer.scale = at::Tensor(); });
  place({.resident_blocks = 0});
  return report;
}

void WanDit::place(const DitPlacement& placement) {
  check_placement(placement);
  const c10::NoGradGuard no_grad;
  auto& parts = *parts_;
  const auto fine = placement.compute == at::kDouble ? at::kDouble : at::kFloat;
  const auto count = static_cast<std::size_t>(parts.config.layers);
  const auto resident = placement.resident_blocks < 0
                            ? count
                            : std::min(count, static_cast<std::size_t>(placement.resident_blocks));
  std::unordered_set<const at::Tensor*> of_blocks;  // the weights that may stay as they are
  for (std::size_t i = 0; i < count; ++i) {
    visit_linears(parts.blocks[i], parts.config, "", [&](const std::string&, WanLinear& layer) {
      of_blocks.insert(&layer.weight);
      i < resident ? keep(layer, placement) : leave(layer);
    });
  }
  visit_weights(parts, [&](const std::string& name, at::Tensor& weight) {
    if (of_blocks.contains(&weight)) return;
    weight = moved(weight, placement.device, is_fine(name) ? fine : placement.compute);
  });
  parts.resident =
      placement.resident_blocks < 0 ? std::numeric_limits<std::size_t>::max() : resident;
  parts.release_pages = placement.release_pages;
  parts.side_stream.reset();
  if (!placement.device.is_cpu()) {
    const c10::impl::VirtualGuardImpl guard(placement.device.type());
    parts.side_stream = guard.getStreamFromGlobalPool(parts.head.weight.device());
  }
}

void WanDit::to(const at::Device& device, at::ScalarType dtype) {
  const c10::NoGradGuard no_grad;
  visit_block_linears(*parts_, [&](const std::string&, WanLinear& layer) {
    if (!layer.scale.defined()) return;
    layer.weight = wan::dequantised(layer.weight, layer.scale, dtype);
    layer.scale = at::Tensor();
  });
  visit_weights(*parts_, [&](const std::string&, at::Tensor& weight) {
    weight = weight.detach().to(device, dtype).set_requires_grad(weight.requires_grad());
  });
  parts_->resident = std::numeric_limits<std::size_t>::max();
}

}  // namespace svi
