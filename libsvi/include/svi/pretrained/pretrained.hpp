#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/encoder/clip_vision.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/pretrained/compute_type.hpp"
#include "svi/pretrained/memory_plan.hpp"
#include "svi/pretrained/model_folder.hpp"
#include "svi/pretrained/prompt_encoder.hpp"

namespace svi {

/// `[model]` of a generated film.
struct PretrainedConfig {
  std::string folder = "pocket";
  std::string dit = {};
  std::string vae = {};
  std::string text_encoder = {};
  std::string tokenizer = {};
  std::string image_encoder = {};
  std::vector<std::string> lora = {};
  ComputeType dtype = ComputeType::automatic;
  std::int64_t resident_blocks = -1;
  bool int8 = false;
  bool release_pages = false;
  std::int64_t heads = 0;
  std::string copy = {};

  void describe(OptionVisitor& visit) {
    visit(folder, {.key = "folder",
                   .help = "folder of the weights (official, diffusers, or trained here); `pocket` "
                           "is the embedded default"});
    visit(dit, {.key = "dit", .help = "transformer, if it is not in the folder"});
    visit(vae, {.key = "vae", .help = "video codec, if it is not in the folder"});
    visit(text_encoder, {.key = "text_encoder", .help = "umT5, if it is not in the folder"});
    visit(tokenizer, {.key = "tokenizer", .help = "spiece.model, if it is not in the folder"});
    visit(image_encoder, {.key = "image_encoder", .help = "CLIP, if it is not in the folder"});
    visit(lora, {.key = "lora",
                 .help = "adapters to merge, each FILE or FILE=STRENGTH, one after the other"});
    visit(dtype,
          {.key = "dtype", .help = "precision of transformer and encoders; the codec stays fp32"});
    visit(resident_blocks,
          {.key = "resident_blocks",
           .help = "blocks of the transformer that stay on the device, -1: all; the others come "
                   "from their file when needed, with the same numbers",
           .min = -1,
           .max = 1000});
    visit(int8, {.key = "int8",
                 .help = "keep block weights in 8 bits, after a comparison with the full weights"});
    visit(release_pages, {.key = "release_pages",
                          .help = "return mapped pages of blocks that do not stay to the system "
                                  "after use; for models larger than memory"});
    visit(heads,
          {.key = "heads",
           .help = "attention heads; 0: dim / 128 as in every official model, and 4 in the pocket",
           .min = 0,
           .max = 1024});
    visit(copy, {.key = "copy",
                 .help = "the weights to read if one file holds several copies, such as "
                         "generator_ema beside generator; `top`: the copy without a name"});
  }
};

/// CLIP's image tower out of a file of any known naming, computing in fp32 on `device`. Throws
/// IoError.
SVI_EXPORT ClipVision open_image_encoder(const std::filesystem::path& path, at::Device device,
                                         const std::string& copy = {});

/// The networks of a model folder, each opened when it is first needed.
///
/// Not thread-safe while something is opened; const use of what is open is.
class SVI_EXPORT Pretrained {
 public:
  /// Finds the files and reads their headers. Throws IoError, ConfigError.
  Pretrained(const PretrainedConfig& config, at::Device device);
  ~Pretrained();

  const ModelFiles& files() const;         // what was found
  const WanDitConfig& dit_config() const;  // sizes of the transformer
  const WanVaeConfig& vae_config() const;  // sizes of the codec
  at::Device device() const;               // of the computation
  at::ScalarType dtype() const;            // of transformer and text encoder
  /// A hash of names, shapes, dtypes and samples of the content of transformer, codec and adapters:
  /// films made with other weights are other films.
  std::string identity() const;

  /// What a film with this model takes, as far as the model decides: sizes, stored bytes, dtype,
  /// blocks that stay. Reads headers only.
  MemoryRequest memory_request() const;
  /// What is free on the host, and on the GPU if that is the device.
  MemoryBudget memory_budget() const;

  const WanVae& vae();  // the codec
  /// With all adapters: merged into the weights, or kept beside them where blocks do not stay (to
  /// merge would copy the whole file into memory).
  WanDit& dit();

  PromptEncoder& prompts();  // prompts to text contexts
  /// Whether the transformer has an image branch.
  bool needs_image() const;
  /// Frames [B, 3, H, W] in [-1, 1] to image tokens [B, tokens, D].
  at::Tensor image(const at::Tensor& frames);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace svi
