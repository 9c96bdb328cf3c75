#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "svi/config/document.hpp"
#include "svi/config/parse.hpp"
#include "svi/experiment/settings.hpp"
#include "svi/method/rollout.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/plugin/registry.hpp"
#include "svi/pretrained/device.hpp"
#include "svi/pretrained/dit_opener.hpp"
#include "svi/pretrained/model_folder.hpp"

namespace svi {

/// The files of the model a [model] section names: weights trained here, as the default folder's
/// are, or an official or diffusers folder. Throws IoError listing what is missing.
ModelFiles model_files(const ModelConfig& config);

WanVae load_vae(const ModelConfig& config, at::Device device);
/// The transformer's sizes, from headers alone.
WanDitConfig dit_config(const ModelConfig& config);
/// What opens the transformer, for films or for training. Throws IoError or ConfigError naming the
/// weights, or the [model] lora, that do not fit.
DitOpener dit_opener(const ModelConfig& config, at::Device device);
/// Throws ConfigError naming the nearest legal value if codec and transformer cannot work on clips
/// of this shape: frames must be temporal stride x k + 1, height and width multiples of the spatial
/// stride times the patch.
void check_clip(const ClipConfig& clip, const WanVaeConfig& vae, const WanDitConfig& dit);

EncodeText text_encoder(const ModelConfig& config, at::Device device, const Registry& registry);
/// Empty where the transformer has no image branch.
EncodeImage image_encoder(const ModelConfig& config, at::Device device);

/// The Document's section as a Config; every default is already written in it.
template <class Config>
Config section(const Document& document, const char* name) {
  return parse_config<Config>(document, name);
}

}  // namespace svi
