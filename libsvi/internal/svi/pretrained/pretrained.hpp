#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/encoder/clip_vision.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/pretrained/memory_plan.hpp"
#include "svi/pretrained/model_folder.hpp"
#include "svi/pretrained/pretrained_config.hpp"
#include "svi/pretrained/prompt_encoder.hpp"

namespace svi {

/// CLIP's image tower out of a file of any known naming, computing in fp32 on `device`. Throws
/// IoError.
SVI_EXPORT ClipVision open_image_encoder(const std::filesystem::path& path, at::Device device,
                                         const std::string& copy = {});

/// The networks of a model folder, each opened when it is first needed.
///
/// Not thread-safe while something is opened; const use of what is open is.
class SVI_EXPORT Pretrained {
 public:
  /// Finds the files and reads their headers. The registry, which outlives this, makes the text
  /// encoder of small models. Throws IoError, ConfigError.
  Pretrained(const PretrainedConfig& config, at::Device device, const Registry& registry);
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
