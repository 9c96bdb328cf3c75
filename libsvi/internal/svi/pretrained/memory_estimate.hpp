#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "svi/core/export.hpp"
#include "svi/encoder/clip_vision.hpp"
#include "svi/encoder/umt5.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"

namespace svi {

/// What a computation has in memory at its fullest, besides weights. Bytes.
///
/// `activations` and `cache` follow the tensors of this library's own code and are held against
/// what LibTorch's allocator is asked for, in a test; `library` is an allowance for what oneDNN,
/// cuDNN and cuBLAS ask for on their own.
struct WorkingMemory {
  std::int64_t activations = 0;  // gone when the computation is done
  std::int64_t cache = 0;        // kept from one call to the next
  std::int64_t library = 0;      // allowance

  std::int64_t total() const { return activations + cache + library; }  // at the fullest
};

/// One forward pass of the transformer without gradients.
struct DitWork {
  std::int64_t batch = 1;  // twice the films where both passes of guidance are one
  std::int64_t frames = 21, height = 60, width = 104;  // of the latent
  at::ScalarType dtype = at::kBFloat16;                // of the computation
  bool gpu = false;                                    // computed on a GPU
  bool adapters = false;                               // kept apart from the weights
  std::int64_t clip_tokens = 0;                        // image tokens of a sample
  std::int64_t kept_contexts = 0;  // as WanDit::keep_contexts, which only the CPU uses
};
SVI_EXPORT WorkingMemory dit_work(const WanDitConfig& config, const DitWork& work);  // bytes

/// fp32 video through the codec.
struct VideoWork {
  std::int64_t batch = 1;                               // videos at once
  std::int64_t frames = 81, height = 480, width = 832;  // of the video, pixels
  bool gpu = false;                                     // computed on a GPU
};
/// As WanVae::encode without gradients; without the video itself.
SVI_EXPORT WorkingMemory vae_encode_work(const WanVaeConfig& config, const VideoWork& work);
/// One latent frame after the other, as DecoderStream; does not depend on `work.frames`.
SVI_EXPORT WorkingMemory vae_decode_work(const WanVaeConfig& config, const VideoWork& work);

/// `texts` of `tokens` each through umT5. `converted`: the weights are of another dtype or on
/// another device than the computation, and brought one at a time.
SVI_EXPORT WorkingMemory umt5_work(const Umt5Config& config, std::int64_t texts,
                                   std::int64_t tokens, at::ScalarType dtype, bool converted);

/// `images` through CLIP's image tower in fp32; `converted` as above.
SVI_EXPORT WorkingMemory clip_work(const ClipVisionConfig& config, std::int64_t images,
                                   bool converted);

}  // namespace svi
