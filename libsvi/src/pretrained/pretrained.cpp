#include "svi/pretrained/pretrained.hpp"

#include <ATen/ATen.h>

#include <optional>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/sha256.hpp"
#include "svi/encoder/clip_vision.hpp"
#include "svi/encoder/umt5.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/key_maps.hpp"
#include "svi/model/lora_files.hpp"
#include "svi/pretrained/device.hpp"
#include "svi/pretrained/dit_opener.hpp"
#include "svi/pretrained/prompt_encoder.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kTrainedHeads = 4, kTrainedLength = 24;  // of a folder trained here

/// A file in the folder, or anywhere; empty where none is named.
fs::path file_of(const PretrainedConfig& config, const std::string& name) {
  if (name.empty() || config.folder == kDefaultFolder) return name;
  const auto within = fs::path(config.folder) / name;
  return fs::exists(within) ? within : fs::path(name);
}

ModelFiles files_of(const PretrainedConfig& config) {
  ModelFiles known;
  known.dit = file_of(config, config.dit);
  known.vae = file_of(config, config.vae);
  known.text_encoder = config.text_encoder;
  known.tokenizer = config.tokenizer;
  known.image_encoder = config.image_encoder;
  return find_model(config.folder, known);
}

std::int64_t bytes_of(const NamedTensors& tensors) {
  std::int64_t sum = 0;
  for (const auto& [name, tensor] : tensors) sum += static_cast<std::int64_t>(tensor.nbytes());
  return sum;
}

/// Names, shapes, dtypes, and the first bytes of each tensor.
std::string digest(const NamedTensors& tensors) {
  constexpr std::int64_t kSample = 64;
  std::string text;
  for (const auto& [name, tensor] : tensors) {
    text += cat(name, " ", tensor.sizes(), " ", c10::toString(tensor.scalar_type()), "\n");
    const auto count = std::min<std::int64_t>(tensor.numel(), kSample);
    if (count == 0) continue;
    const auto sample = tensor.flatten().narrow(0, 0, count).contiguous();
    text.append(static_cast<const char*>(sample.const_data_ptr()), sample.nbytes());
  }
  return sha256_hex(text);
}

}  // namespace

struct Pretrained::Parts {
  PretrainedConfig config;
  const Registry* registry = nullptr;
  at::Device device = at::kCPU;
  ModelFiles files;
  std::optional<DitOpener> opener;
  WanVaeConfig vae_config;
  std::string identity;
  std::optional<WanVae> vae;
  std::unique_ptr<WanDit> dit;
  std::optional<PromptEncoder> prompts;
  std::optional<ClipVision> tower;

  void read_headers();
  void open_tower();
};

void Pretrained::Parts::read_headers() {
  const bool trained = files.layout == ModelLayout::trained;
  opener.emplace(config, files, config.heads == 0 && trained ? kTrainedHeads : config.heads,
                 device);
  const auto codec = open_official(files.vae, WeightKind::vae, config.copy).tensors;
  try {
    vae_config = WanVae::infer(codec);
  } catch (const IoError& error) {
    raise<IoError>(files.vae.string(), ": ", error.what());
  }
  std::string text = cat("dit ", digest(opener->weights()), "\nvae ", digest(codec));
  for (const auto& lora : opener->loras())
    text += cat("\nlora ", digest(open_weights(lora.path)), " ", lora.strength);
  if (!config.copy.empty()) text += "\ncopy " + config.copy;
  identity = sha256_hex(text).substr(0, 16);
}

void Pretrained::Parts::open_tower() {
  if (files.image_encoder.empty()) {
    raise<IoError>(
        files.folder.string(), ": this transformer has an image branch, so the image ",
        "encoder is needed: models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth, or ",
        "[model] image_encoder");
  }
  tower.emplace(open_image_encoder(files.image_encoder, device, config.copy));
}

ClipVision open_image_encoder(const fs::path& path, at::Device device, const std::string& copy) {
  const auto weights = open_official(path, WeightKind::clip, copy).tensors;
  ClipVision tower(ClipVision::infer(weights));
  const auto report = tower.adopt(weights, path.string());
  SVI_INFO("model", "image encoder: ", path.string(), ": ", report.text());
  tower.compute(device, at::kFloat);
  return tower;
}

Pretrained::Pretrained(const PretrainedConfig& config, at::Device device, const Registry& registry)
    : parts_(std::make_unique<Parts>()) {
  parts_->config = config;
  parts_->registry = &registry;
  parts_->device = device;
  parts_->files = files_of(config);
  parts_->read_headers();
}
Pretrained::~Pretrained() = default;

const ModelFiles& Pretrained::files() const { return parts_->files; }
const WanDitConfig& Pretrained::dit_config() const { return parts_->opener->sizes(); }
const WanVaeConfig& Pretrained::vae_config() const { return parts_->vae_config; }
at::Device Pretrained::device() const { return parts_->device; }
at::ScalarType Pretrained::dtype() const { return parts_->opener->compute(); }
std::string Pretrained::identity() const { return parts_->identity; }
bool Pretrained::needs_image() const { return dit_config().image_dim > 0; }

MemoryRequest Pretrained::memory_request() const {
  const auto& p = *parts_;
  MemoryRequest request;
  request.dit = p.opener->sizes();
  request.vae = p.vae_config;
  request.dtype = p.opener->compute();
  request.gpu = !p.device.is_cpu();
  request.resident_blocks = p.config.resident_blocks;
  request.eight_bit = p.config.int8;
  // Merging writes to the mapped pages, which then are the process's own.
  const auto& loras = p.opener->loras();
  const bool merged = !loras.empty() && p.opener->merges();
  request.in_place = p.opener->stored_dtype() == p.opener->compute() && !merged;
  request.stored.dit = p.opener->stored_bytes();
  for (const auto& lora : loras) {
    if (!merged) request.adapter_bytes += WeightFiles::open(lora.path).bytes();
  }
  if (p.files.layout != ModelLayout::trained) {
    const auto path = p.files.text_encoder.string();
    const auto stored = open_official(path, WeightKind::umt5, p.config.copy, false).tensors;
    request.text_encoder = Umt5Encoder::infer(stored);
    request.stored.text_encoder = bytes_of(stored);
  }
  if (needs_image() && !p.files.image_encoder.empty()) {
    const auto path = p.files.image_encoder.string();
    const auto stored = open_official(path, WeightKind::clip, p.config.copy, false).tensors;
    request.image_encoder = ClipVision::infer(stored);
    request.stored.image_encoder = bytes_of(stored);
  }
  return request;
}

MemoryBudget Pretrained::memory_budget() const {
  MemoryBudget budget;
  budget.host = available_memory();
  budget.gpu = parts_->device.is_cpu() ? 0 : free_device_memory(parts_->device);
  return budget;
}

const WanVae& Pretrained::vae() {
  if (!parts_->vae) {
    parts_->vae.emplace(WanVae::open(parts_->files.vae.string(), parts_->config.copy));
    parts_->vae->require_grad(false);
    parts_->vae->to(parts_->device, at::kFloat);
  }
  return *parts_->vae;
}

WanDit& Pretrained::dit() {
  if (!parts_->dit) parts_->dit = parts_->opener->for_films();
  return *parts_->dit;
}

PromptEncoder& Pretrained::prompts() {
  auto& encoder = parts_->prompts;
  if (!encoder) {
    PromptEncoder::Config config;
    config.device = parts_->device;
    config.dim = dit_config().text_dim;
    config.dtype = dtype();
    config.copy = parts_->config.copy;
    if (parts_->files.layout == ModelLayout::trained) config.length = kTrainedLength;
    encoder.emplace(parts_->files, config, *parts_->registry);
  }
  return *encoder;
}

at::Tensor Pretrained::image(const at::Tensor& frames) {
  if (!parts_->tower) parts_->open_tower();
  return parts_->tower->encode(frames);
}

}  // namespace svi
