#include "models.hpp"

#include "svi/core/check.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/key_maps.hpp"
#include "svi/pretrained/pretrained.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

WanDitConfig sizes_of(const NamedTensors& weights, std::int64_t heads, const std::string& path) {
  try {
    return WanDit::infer(weights, heads);
  } catch (const IoError& error) {
    raise<IoError>(path, ": ", error.what());
  }
}

constexpr std::int64_t kOfficialText = 512;  // rows of a text context

}  // namespace

ModelFiles model_files(const ModelConfig& config) {
  const auto folder =
      config.folder == "pocket" ? data_folder() / "pocket" : fs::path(config.folder);
  // Weights of this toolkit's own making; a pretraining starts with the codec alone, or nothing.
  ModelFiles files;
  files.folder = folder;
  files.dit = folder / config.dit;
  files.vae = folder / config.vae;
  if (config.folder == "pocket" || fs::exists(files.dit) || fs::exists(files.vae)) return files;
  try {
    return find_model(config.folder);
  } catch (const IoError& error) {
    raise<IoError>("[model] folder = ", config.folder, ": ", error.what(),
                   "\nA folder trained here holds ", config.dit, " and ", config.vae);
  }
}

WanVae load_vae(const ModelConfig& config, at::Device device) {
  auto vae = WanVae::open(model_files(config).vae.string());
  vae.require_grad(false);
  vae.to(device, at::kFloat);
  return vae;
}

WanDitConfig dit_config(const ModelConfig& config) {
  const auto files = model_files(config);
  const auto weights = to_official(open_weights(files.dit), WeightKind::dit, files.dit.string());
  const bool pocket = files.layout == ModelLayout::pocket;
  auto sizes = sizes_of(weights, pocket ? config.heads : 0, files.dit.string());
  if (!pocket) sizes.text_len = kOfficialText;
  return sizes;
}

std::unique_ptr<WanDit> load_dit(const ModelConfig& config, at::Device device,
                                 at::ScalarType dtype) {
  const auto path = model_files(config).dit.string();
  auto dit = std::make_unique<WanDit>(dit_config(config), at::TensorOptions(at::kMeta));
  dit->adopt(to_official(open_weights(path), WeightKind::dit, path), path);
  dit->to(device, dtype);
  return dit;
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

EncodeText text_encoder(const ModelConfig& config, at::Device device) {
  const auto files = model_files(config);
  PromptEncoder::Config sizes;
  sizes.device = device;
  if (files.layout == ModelLayout::pocket) {
    sizes.length = config.text_length;
    sizes.dim = config.text_dim;
  }
  auto encoder = std::make_shared<PromptEncoder>(files, sizes);
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
  auto tower = std::make_shared<ClipVision>(open_image_encoder(path, device));
  return [tower](const at::Tensor& frames) { return tower->encode(frames); };
}

}  // namespace svi
