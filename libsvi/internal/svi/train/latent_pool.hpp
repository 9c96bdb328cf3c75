#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/method/method.hpp"
#include "svi/model/condition.hpp"
#include "svi/model/wan/vae.hpp"

namespace svi {

/// Training clips, encoded once: what the trainer reads instead of pixels. N clips, fp32 but for
/// tracks of pictures, which are 8-bit levels.
struct SVI_EXPORT LatentPool {
  at::Tensor latent;  // [N, z, F, h, w]  clean clips
  at::Tensor tail;    // [N, z, f, h, w]  condition latents of the true last motion frames
  /// What a model is told of them, one row per clip: text, image (y with the plan's motion frames),
  /// clip where there is an image branch, and the clips' tracks; see told_values.
  Condition condition;
  /// [N, s + z, F, h, w]  condition y with one motion frame, or that one repeated; undefined if
  /// never used
  at::Tensor image_one = {};
  /// [N, tokens, D]  what the image branch sees then; undefined where it is the same
  at::Tensor clip_one = {};

  std::int64_t size() const { return latent.size(0); }  // N clips

  /// What turns clips into what the model is told.
  struct Encoders {
    const WanVae& vae;                                                // the codec
    std::function<at::Tensor(const std::vector<std::string>&)> text;  // prompts -> [B, L, D]
    /// Frames [B, 3, H, W] in [-1, 1] -> [B, tokens, D]; empty for models without image branch.
    std::function<at::Tensor(const at::Tensor&)> image = {};
  };

  /// Encodes training clips first .. first+count-1 of the source into the file `path`, up to eight
  /// at a time; fewer where clips are large. Memory does not grow with their number. `progress` is
  /// told how many are done. Throws IoError.
  static void encode(const std::filesystem::path& path, const ClipSource& source,
                     std::uint64_t seed, std::int64_t first, std::int64_t count,
                     const ClipShape& shape, const Encoders& encoders, const TrainingPlan& plan,
                     const std::function<void(std::int64_t)>& progress = {});
  /// Maps that file: clips are read when they are used. Throws IoError if a tensor is missing.
  static LatentPool open(const std::filesystem::path& path);
};

}  // namespace svi
