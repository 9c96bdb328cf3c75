#include "svi/pretrained/memory_estimate.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "pretrained/byte_sizes.hpp"
#include "svi/model/wan/lean_blocks.hpp"

namespace svi {
namespace {

// Rows of the feed-forward that the lean blocks take at a time.
constexpr std::int64_t kFeedForwardRows = 4096;

std::int64_t element_bytes(at::ScalarType dtype) {
  return static_cast<std::int64_t>(c10::elementSize(dtype));
}

/// Tokens [N, D] in a block of plain operations, its input included.
std::int64_t plain_block(const WanDitConfig& config, std::int64_t tokens, std::int64_t e,
                         bool adapters) {
  // The key is being turned: input, norm and query; the key as it came and after its norm, where
  // that is narrow twice more in fp32; eight halves of products and sums, and the result.
  const auto key = e == kFp32 ? 2 * e : 2 * e + 2 * kFp32;
  const auto turning = tokens * config.dim * (3 * e + key + 4 * kFp32);
  const auto extra = adapters ? 2 : 0;
  const auto feed_forward = tokens * e * (3 * config.dim + (2 + extra) * config.ffn_dim);
  return std::max(turning, feed_forward);
}

/// What LibTorch's attention has for scores, sums and shares of a block of queries: per thread.
std::int64_t attention_scratch(std::int64_t head_dim, std::int64_t e) {
  constexpr std::int64_t kQueries = 256, kKeys = 512;
  const auto narrowed = e == kFp32 ? 0 : kKeys * e;
  return at::get_num_threads() * kQueries * ((kKeys + 2 + head_dim) * kFp32 + narrowed);
}

/// The same of the lean blocks: five tensors while attending, a slice of the feed-forward.
std::int64_t lean_block(const WanDitConfig& config, std::int64_t tokens, std::int64_t e,
                        bool adapters) {
  const auto rows = std::min(tokens, kFeedForwardRows);
  const auto extra = adapters ? 1 : 0;
  const auto head_dim = config.dim / config.heads;
  const auto attending = (5 + extra) * tokens * config.dim * e +
                         (attends_in_panels(head_dim) ? 0 : attention_scratch(head_dim, e));
  const auto feed_forward = rows * e * ((1 + extra) * config.ffn_dim + config.dim);
  return std::max(attending, feed_forward);
}

}  // namespace

WorkingMemory dit_work(const WanDitConfig& config, const DitWork& work) {
  const auto e = element_bytes(work.dtype), D = config.dim;
  const auto voxels = work.batch * work.frames * work.height * work.width;
  const auto per_token = config.patch[0] * config.patch[1] * config.patch[2];
  const auto tokens = voxels / per_token;
  const bool lean = takes_lean_blocks(work.gpu ? at::kCUDA : at::kCPU, work.dtype);
  const auto context = work.batch * (config.text_len + work.clip_tokens) * D * e;

  WorkingMemory memory;
  memory.activations += voxels * config.in_dim * e;                  // noise and condition, joined
  memory.activations += work.batch * config.layers * 6 * D * kFp32;  // modulations
  if (lean) {
    // The embedded tokens, the residual stream in fp32, its norm; then a block, which makes the
    // context's keys and values again, once as they are and once packed.
    const auto stream = tokens * D * (e == kFp32 ? 2 * e : 2 * e + kFp32);
    memory.activations += stream + lean_block(config, tokens, e, work.adapters) + 3 * context;
    // A product may lay its weight out anew.
    memory.library = D * config.ffn_dim * e;
  } else {
    memory.activations += plain_block(config, tokens, e, work.adapters) + 3 * context;
    memory.library = work.gpu ? kGpuLibrary : D * config.ffn_dim * e;
  }
  memory.cache = tokens / work.batch * (D / config.heads) * kFp32;  // angles: cos and sin
  if (lean) memory.cache += work.kept_contexts * 2 * config.layers * context;
  return memory;
}

WorkingMemory umt5_work(const Umt5Config& config, std::int64_t texts, std::int64_t tokens,
                        at::ScalarType dtype, bool converted) {
  const auto e = element_bytes(dtype);
  const auto rows = texts * tokens;
  const auto scores = texts * config.heads * tokens * tokens;
  const auto bias = config.heads * tokens * tokens;
  const auto brought = converted ? e : 0;  // a weight in the precision of the computation
  // Scores, bias with mask, their sum; then the sum, in fp32, as shares, and narrow again; then
  // scores and shares beside the result and its projection.
  const auto summing = 3 * scores * e;
  const auto sharing = scores * (e == kFp32 ? 2 * e : 2 * e + 2 * kFp32);
  const auto projecting = 2 * scores * e + rows * (config.attention_dim + config.dim) * e +
                          config.attention_dim * config.dim * brought;
  const auto attending = std::max({summing, sharing, projecting}) + bias * e +
                         rows * (2 * config.dim + 3 * config.attention_dim) * e;
  const auto feed_forward =
      rows * e * (2 * config.dim + 3 * config.ffn_dim) + config.ffn_dim * config.dim * brought;
  WorkingMemory memory;
  memory.activations = std::max(attending, feed_forward) + tokens * tokens * 8;
  const auto widest = std::max(config.ffn_dim, config.attention_dim) * config.dim * e;
  memory.library = widest;
  return memory;
}

WorkingMemory clip_work(const ClipVisionConfig& config, std::int64_t images, bool converted) {
  const auto rows = images * config.tokens();
  WorkingMemory memory;
  const auto widest = config.mlp_dim * config.dim * kFp32;
  const auto hidden = rows * kFp32 * config.mlp_dim;
  memory.activations = rows * kFp32 * 3 * config.dim +
                       std::max(2 * hidden, hidden + (converted ? widest : 0)) +
                       images * 3 * config.image * config.image * kFp32;
  memory.library = widest;
  return memory;
}

}  // namespace svi
