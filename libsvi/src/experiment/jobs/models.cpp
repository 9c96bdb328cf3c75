#include "models.hpp"

#include "svi/core/check.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/pretrained/dit_file.hpp"
#include "svi/pretrained/pretrained.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

/// As open_dit_file has them: only weights trained here do not tell theirs.
std::int64_t heads_of(const ModelConfig& config, const ModelFiles& files) {
  if (files.layout != ModelLayout::trained) return 0;
  return config.heads == 0 && config.folder == kDefaultFolder ? ModelConfig().heads : config.heads;
}

/// A file of the folder, or of anywhere where the folder has none of another name than usual.
fs::path file_of_model(const fs::path& folder, const std::string& name, const std::string& usual) {
  const auto inside = folder / name;
  return name == usual || fs::exists(inside) || !fs::exists(name) ? inside : fs::path(name);
}

}  // namespace

ModelFiles model_files(const ModelConfig& config) {
  const auto folder = weights_folder(config.folder);
  // Weights of this toolkit's own making; a pretraining starts with the codec alone, or nothing.
  ModelFiles files;
  files.text_encoder = config.text_encoder;
  files.tokenizer = config.tokenizer;
  files.image_encoder = config.image_encoder;
  const auto known = files;
  files.folder = folder;
  files.dit = file_of_model(folder, config.dit, ModelConfig().dit);
  files.vae = file_of_model(folder, config.vae, ModelConfig().vae);
  if (config.folder == kDefaultFolder || fs::exists(files.dit) || fs::exists(files.vae))
    return files;
  try {
    return find_model(config.folder, known);
  } catch (const IoError& error) {
    raise<IoError>("[model] folder = ", config.folder, ": ", error.what(),
                   "\nA folder trained here holds ", config.dit, " and ", config.vae);
  }
}

WanVae load_vae(const ModelConfig& config, at::Device device) {
  auto vae = WanVae::open(model_files(config).vae.string(), config.copy);
  vae.require_grad(false);
  vae.to(device, at::kFloat);
  return vae;
}

DitOpener dit_opener(const ModelConfig& config, at::Device device) {
  const auto files = model_files(config);
  return {config, files, heads_of(config, files), device};
}

WanDitConfig dit_config(const ModelConfig& config) {
  const auto files = model_files(config);
  return open_dit_file(files.dit, files.layout, heads_of(config, files), config.copy, false).config;
}

void check_clip(const ClipConfig& clip, const WanVaeConfig& vae, const WanDitConfig& dit) {
  const auto refuse = [](const char* key, std::int64_t value, std::int64_t stride,
                         std::int64_t offset) {
    if (value >= offset + (offset == 0 ? stride : 0) && (value - offset) % stride == 0) return;
    const auto below = (value - offset) / stride * stride + offset;
    const bool up = below < std::max<std::int64_t>(offset, 1) || value - below > stride / 2;
    raise<ConfigError>("[clip] ", key, " = ", value,
                       " does not fit these weights: it must be a multiple of ", stride,
                       offset == 0 ? "" : " plus 1", "; the nearest legal value is ",
                       up ? below + stride : below);
  };
  refuse("frames", clip.frames, vae.temporal_stride() * dit.patch[0], 1);
  refuse("height", clip.height, vae.spatial_stride() * dit.patch[1], 0);
  refuse("width", clip.width, vae.spatial_stride() * dit.patch[2], 0);
}

EncodeText text_encoder(const ModelConfig& config, at::Device device, const Registry& registry) {
  const auto files = model_files(config);
  PromptEncoder::Config sizes;
  sizes.device = device;
  sizes.copy = config.copy;
  if (files.layout == ModelLayout::trained) {
    sizes.length = config.text_length;
    sizes.dim = config.text_dim;
  }
  auto encoder = std::make_shared<PromptEncoder>(files, sizes, registry);
  return [encoder](const std::vector<std::string>& prompts) {
    return encoder->encode(prompts).to(at::kFloat);
  };
}

EncodeImage image_encoder(const ModelConfig& config, at::Device device) {
  if (dit_config(config).image_dim == 0) return {};
  const auto path = model_files(config).image_encoder;
  if (path.empty()) {
    raise<IoError>("[model] folder = ", config.folder,
                   ": the transformer has an image branch, but there is no image encoder");
  }
  auto tower = std::make_shared<ClipVision>(open_image_encoder(path, device, config.copy));
  return [tower](const at::Tensor& frames) { return tower->encode(frames); };
}

}  // namespace svi
