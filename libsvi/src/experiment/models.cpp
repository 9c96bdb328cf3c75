#include "models.hpp"

#include "svi/core/check.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/io/weight_files.hpp"

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

}  // namespace

fs::path model_folder(const ModelConfig& config) {
  const auto folder =
      config.folder == "pocket" ? data_folder() / "pocket" : fs::path(config.folder);
  if (!fs::is_directory(folder)) {
    raise<IoError>("[model] folder = ", config.folder, ": ", folder.string(), " is no folder; ",
                   "give the folder that holds ", config.dit, " and ", config.vae);
  }
  return folder;
}

WanVae load_vae(const ModelConfig& config, at::Device device) {
  auto vae = WanVae::open((model_folder(config) / config.vae).string());
  vae.require_grad(false);
  vae.to(device, at::kFloat);
  return vae;
}

std::unique_ptr<WanDit> load_dit(const ModelConfig& config, at::Device device) {
  const auto path = (model_folder(config) / config.dit).string();
  const auto weights = open_weights(path);
  const auto sizes = sizes_of(weights, config.heads, path);
  // Names and shapes first: sizes that a damaged file claims must not be allocated.
  const auto report = match(WanDit(sizes, at::TensorOptions(at::kMeta)).parameters(), weights);
  if (!report.complete())
    raise<IoError>(path, ": not the weights of a Wan transformer\n", report.text());
  auto dit = std::make_unique<WanDit>(sizes, at::TensorOptions(at::kFloat));
  dit->load(weights, path);
  dit->to(device, at::kFloat);
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
  auto encoder = std::make_shared<PocketTextEncoder>(
      PocketTextEncoder::Config{.length = config.text_length, .dim = config.text_dim});
  return [encoder, device](const std::vector<std::string>& prompts) {
    return encoder->encode(prompts).to(device);
  };
}

}  // namespace svi
