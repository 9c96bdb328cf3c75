#include <algorithm>
#include <utility>
#include <vector>

#include "pretrained/byte_sizes.hpp"
#include "svi/pretrained/memory_estimate.hpp"
#include "svi/tensor/instruction_set.hpp"

namespace svi {
namespace {

/// One layer of the codec: channels in and out, and what it does to the video.
struct Layer {
  enum Kind { residual, attention, smaller, larger } kind;
  std::int64_t in, out;
  bool in_time = false;
};

std::vector<Layer> middle(std::int64_t channels) {
  return {{Layer::residual, channels, channels},
          {Layer::attention, channels, channels},
          {Layer::residual, channels, channels}};
}

std::vector<Layer> encoder_layers(const WanVaeConfig& config) {
  std::vector<Layer> layers;
  auto channels = config.dim;
  for (std::size_t level = 0; level < config.dim_mult.size(); ++level) {
    const auto out = config.dim * config.dim_mult[level];
    for (std::int64_t i = 0; i < config.num_res_blocks; ++i, channels = out)
      layers.push_back({Layer::residual, channels, out});
    if (level + 1 < config.dim_mult.size())
      layers.push_back({Layer::smaller, out, out, config.temporal_downsample[level] != 0});
  }
  for (const auto& layer : middle(channels)) layers.push_back(layer);
  return layers;
}

std::vector<Layer> decoder_layers(const WanVaeConfig& config) {
  auto channels = config.dim * config.dim_mult.back();
  auto layers = middle(channels);
  for (auto level = config.dim_mult.size(); level-- > 0;) {
    const auto out = config.dim * config.dim_mult[level];
    for (std::int64_t i = 0; i <= config.num_res_blocks; ++i, channels = out)
      layers.push_back({Layer::residual, channels, out});
    if (level == 0) break;
    layers.push_back({Layer::larger, out, out / 2, config.temporal_downsample[level - 1] != 0});
    channels /= 2;
  }
  return layers;
}

/// The frame a layer works on: pixels of all samples, and how many frames at once.
struct Place {
  std::int64_t area, frames;
};

Place after(const Layer& layer, Place place, bool whole) {
  if (layer.kind == Layer::smaller) {
    place.area /= 4;
    if (layer.in_time) place.frames = whole ? (place.frames - 1) / 2 + 1 : place.frames / 2;
  }
  if (layer.kind == Layer::larger) {
    place.area *= 4;
    if (layer.in_time) place.frames *= 2;
  }
  return place;
}

/// Values that a layer remembers of the frames before the next.
std::int64_t remembered(const Layer& layer, std::int64_t area) {
  switch (layer.kind) {
    case Layer::residual:
      return 2 * (layer.in + layer.out) * area;
    case Layer::attention:
      return 0;
    case Layer::smaller:
      return layer.in_time ? 2 * layer.in * area / 4 : 0;
    case Layer::larger:
      return layer.in_time ? 2 * layer.in * area : 0;
  }
  return 0;
}

/// Values a layer has at its fullest, its input included: all frames of `place` at once.
std::int64_t at_once(const Layer& layer, Place place) {
  const auto in = layer.in * place.area, out = layer.out * place.area, T = place.frames;
  switch (layer.kind) {
    case Layer::residual:
      return std::max((2 * T + 2) * in + T * out, T * in + (3 * T + 2) * out);
    case Layer::attention:
      return 7 * T * in;
    case Layer::smaller:
      return T * (2 * in + in / 4);
    case Layer::larger: {
      const auto doubled = layer.in_time ? 2 : 1;
      return T * (in + doubled * (in + 4 * in + 4 * out));
    }
  }
  return 0;
}

/// The same where frames go through one by one, in memory that is used again.
std::int64_t one_by_one(const Layer& layer, std::int64_t area) {
  const auto in = layer.in * area, out = layer.out * area;
  switch (layer.kind) {
    case Layer::residual:
      return layer.in == layer.out ? 3 * in : 2 * in + 3 * out;
    case Layer::attention:
      return 7 * in;
    case Layer::smaller:
      return 2 * in + in / 4;
    case Layer::larger:
      return (layer.in_time ? 6 : 1) * in + 4 * out;
  }
  return 0;
}

/// Scratch of the Winograd convolutions: the transformed weight, and tiles in the cache.
std::int64_t winograd(std::int64_t in, std::int64_t out) {
  return 36 * kFp32 * 3 * in * out + 8 * kMiB;
}

/// Whether the codec goes frame by frame: see WanVae, fp32 on the CPU at official width.
bool by_frames(const WanVaeConfig& config, const VideoWork& work) {
  return !work.gpu && config.dim % 32 == 0 && config.dim >= 64;
}

/// Where a side of the codec begins and ends.
struct Side {
  std::vector<Layer> layers;
  bool down;                // the encoder
  std::int64_t area;        // pixels of all samples where the first layer is
  std::int64_t remembered;  // values that convolutions before and after the layers remember
};

Side encoder(const WanVaeConfig& config, const VideoWork& work) {
  const auto area = work.batch * work.height * work.width;
  const auto stride = config.spatial_stride();
  const auto widest = config.dim * config.dim_mult.back();
  return {encoder_layers(config), true, area, 2 * 3 * area + 2 * widest * area / (stride * stride)};
}

Side decoder(const WanVaeConfig& config, const VideoWork& work, bool by_frames) {
  const auto pixels = work.batch * work.height * work.width;
  const auto stride = config.spatial_stride(), area = pixels / (stride * stride);
  // Frame by frame the head keeps its outputs' parts instead of its inputs.
  const auto head = by_frames ? 2 * 6 : 2 * config.dim * config.dim_mult.front();
  return {decoder_layers(config), false, area, 2 * config.z_dim * area + head * pixels};
}

WorkingMemory frame_by_frame(const Side& side) {
  constexpr std::int64_t kWaiting = 3;  // frames of a level that wait to be used again
  std::int64_t area = side.area, scratch = 0, levels = 0, level = 0, most = 0;
  WorkingMemory memory;
  memory.cache = side.remembered;
  for (const auto& layer : side.layers) {
    memory.cache += remembered(layer, area);
    scratch = std::max(scratch, winograd(layer.in, layer.out));
    const auto frame = std::max(layer.in, layer.out) * area;
    if (layer.kind == Layer::smaller || layer.kind == Layer::larger) {
      levels += std::exchange(level, 0);
      most = std::max(most, one_by_one(layer, area));
    } else {
      level = std::max(level, kWaiting * frame);
    }
    area = after(layer, {area, 2}, false).area;
  }
  // Going down the frames of every level wait; going up those of the largest do, while the levels
  // below are at work.
  memory.activations = side.down ? levels + level + most : level + most;
  return {memory.activations * kFp32 + scratch, memory.cache * kFp32, 0};
}

/// Whether oneDNN's convolutions multiply columns of pixels, as on CPUs without AVX2.
bool by_columns() { return instruction_set() == InstructionSet::baseline; }

/// Values that the library needs for a convolution of 3x3x3: input and output laid out anew, or the
/// columns of one frame beside the output.
std::int64_t for_convolution(const Layer& layer, Place place) {
  if (by_columns()) return 27 * layer.in * place.area + place.frames * layer.out * place.area;
  return 2 * (place.frames + 1) * layer.out * place.area;
}

WorkingMemory pass(const Side& side, std::int64_t frames, bool whole) {
  Place place{side.area, frames};
  WorkingMemory memory;
  std::int64_t library = 0;
  memory.cache = whole ? 0 : side.remembered;
  for (const auto& layer : side.layers) {
    if (!whole) memory.cache += remembered(layer, place.area);
    memory.activations = std::max(memory.activations, at_once(layer, place));
    library = std::max(library, for_convolution(layer, place));
    place = after(layer, place, whole);
  }
  return {memory.activations * kFp32, memory.cache * kFp32, library * kFp32};
}

}  // namespace

WorkingMemory vae_encode_work(const WanVaeConfig& config, const VideoWork& work) {
  const auto side = encoder(config, work);
  if (by_frames(config, work)) return frame_by_frame(side);
  if (!work.gpu) return pass(side, work.frames, true);
  auto memory = pass(side, std::min(work.frames, config.temporal_stride()), false);
  memory.library = kGpuLibrary;
  return memory;
}

WorkingMemory vae_decode_work(const WanVaeConfig& config, const VideoWork& work) {
  const bool frames = by_frames(config, work);
  const auto side = decoder(config, work, frames);
  if (frames) return frame_by_frame(side);
  auto memory = pass(side, 1, false);
  if (work.gpu) memory.library = kGpuLibrary;
  return memory;
}

}  // namespace svi
