#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <string>

#include "svi/config/document.hpp"
#include "svi/config/parse.hpp"
#include "svi/data/text_encoder.hpp"
#include "svi/evaluate/rollout.hpp"
#include "svi/experiment/settings.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/pretrained/device.hpp"

namespace svi {

/// The folder of weights a [model] section names; 'pocket' is looked for in the data folder of this
/// installation or source tree. Throws IoError if it is not there.
std::filesystem::path model_folder(const ModelConfig& config);

WanVae load_vae(const ModelConfig& config, at::Device device);
std::unique_ptr<WanDit> load_dit(const ModelConfig& config, at::Device device);
/// Throws ConfigError naming the nearest legal value if codec and transformer cannot work on clips
/// of this shape: frames must be temporal stride x k + 1, height and width multiples of the spatial
/// stride times the patch.
void check_clip(const ClipConfig& clip, const WanVaeConfig& vae, const WanDitConfig& dit);

EncodeText text_encoder(const ModelConfig& config, at::Device device);

/// The Document's section as a Config; every default is already written in it.
template <class Config>
Config section(const Document& document, const char* name) {
  return parse_config<Config>(document, name);
}

}  // namespace svi
