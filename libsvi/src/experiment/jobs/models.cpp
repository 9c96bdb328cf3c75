#include "models.hpp"

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/pretrained/dit_file.hpp"
#include "svi/pretrained/pretrained.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

DitFile dit_file(const ModelConfig& config, bool values) {
  const auto files = model_files(config);
  const bool pocket = files.layout == ModelLayout::pocket;
  return open_dit_file(files.dit, files.layout, pocket ? config.heads : 0, config.copy, values);
}

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
  auto vae = WanVae::open(model_files(config).vae.string(), config.copy);
  vae.require_grad(false);
  vae.to(device, at::kFloat);
  return vae;
}

WanDitConfig dit_config(const ModelConfig& config) { return dit_file(config, false).config; }

std::unique_ptr<WanDit> open_dit(const ModelConfig& config) {
  const auto file = dit_file(config, true);
  auto dit = std::make_unique<WanDit>(file.config, at::TensorOptions(at::kMeta));
  dit->adopt(file.weights, model_files(config).dit.string());
  return dit;
}

std::unique_ptr<WanDit> load_dit(const ModelConfig& config, at::Device device,
                                 at::ScalarType dtype) {
  auto dit = open_dit(config);
  dit->to(device, dtype);
  return dit;
}

void place_for_films(WanDit& dit, const ModelConfig& config, at::Device device) {
  auto facts = machine_facts();
  facts.large = model_files(config).layout != ModelLayout::pocket;
  facts.gpu = !device.is_cpu();
  for (const auto& [name, tensor] : dit.parameters()) facts.fp32_bytes += 4 * tensor.numel();
  const auto choice = choose_compute(config.dtype, facts);
  DitPlacement placement;
  placement.device = device;
  placement.compute = choice.dtype;
  placement.resident_blocks = config.resident_blocks;
  dit.place(placement);
  SVI_INFO("model", "films: computes in ", choice.dtype == at::kBFloat16 ? "bf16" : "fp32", ": ",
           choice.reason);
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
  sizes.copy = config.copy;
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
  auto tower = std::make_shared<ClipVision>(open_image_encoder(path, device, config.copy));
  return [tower](const at::Tensor& frames) { return tower->encode(frames); };
}

}  // namespace svi
