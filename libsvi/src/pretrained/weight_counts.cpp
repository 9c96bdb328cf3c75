#include "pretrained/weight_counts.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdlib>

namespace svi {
namespace {

constexpr std::int64_t kGroup = 128;   // weights that share a scale where they have 8 bits
constexpr std::int64_t kInFlight = 2;  // blocks that are on their way: the one in use, the next
constexpr std::int64_t kScaleBytes = 4;

std::int64_t numbers(const NamedTensors& tensors) {
  std::int64_t sum = 0;
  for (const auto& [name, tensor] : tensors) sum += tensor.numel();
  return sum;
}

}  // namespace

WeightCounts count_weights(const MemoryRequest& request) {
  WeightCounts counts;
  auto config = request.dit;
  counts.blocks = config.layers;
  config.layers = 1;
  const WanDit dit(config, at::TensorOptions(at::kMeta));
  for (const auto& [name, tensor] : dit.parameters()) {
    const bool block = name.starts_with("blocks.");
    if (!block) {
      counts.around += tensor.numel();
    } else if (tensor.dim() == 2) {
      counts.block_linear += tensor.numel();
      counts.largest_linear = std::max(counts.largest_linear, tensor.numel());
    } else {
      counts.block_other += tensor.numel();
    }
  }
  counts.vae = numbers(WanVae(request.vae, at::kMeta).parameters());
  if (request.text_encoder)
    counts.text_encoder = numbers(Umt5Encoder(*request.text_encoder).parameters());
  if (request.image_encoder)
    counts.image_encoder = numbers(ClipVision(*request.image_encoder).parameters());
  return counts;
}

DitBytes dit_weights(const MemoryRequest& request, const WeightCounts& counts) {
  const auto e = static_cast<std::int64_t>(c10::elementSize(request.dtype));
  const auto block = (counts.block_linear + counts.block_other) * e;
  const auto small =
      counts.block_linear + counts.block_linear / kGroup * kScaleBytes + counts.block_other * e;
  const auto kept_block = request.eight_bit ? small : block;
  const auto resident = request.resident_blocks < 0 ? counts.blocks : request.resident_blocks;
  const auto away = counts.blocks - resident;

  DitBytes bytes;
  // Files may keep the few norms and modulations wider than the matrices.
  const bool as_stored = std::abs(request.stored.dit - counts.dit() * e) <= request.stored.dit / 50;
  if (request.in_place && as_stored && !request.gpu && !request.eight_bit)
    return {0, request.stored.dit};
  bytes.device = resident * kept_block + counts.around * e;
  if (away > 0) {
    bytes.device += std::min(kInFlight, away) * block;
    bytes.mapped = request.stored.dit / std::max<std::int64_t>(1, counts.blocks) * away;
  }
  return bytes;
}

}  // namespace svi
