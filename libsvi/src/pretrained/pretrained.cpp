#include "svi/pretrained/pretrained.hpp"

#include <ATen/ATen.h>
#include <malloc.h>

#include <charconv>
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
#include "svi/pretrained/prompt_encoder.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPocketHeads = 4, kPocketLength = 24;
constexpr std::int64_t kLargeDim = 1024;  // from here on a transformer is of official size

ModelFiles files_of(const PretrainedConfig& config) {
  ModelFiles known;
  known.dit = config.dit;
  known.vae = config.vae;
  known.text_encoder = config.text_encoder;
  known.tokenizer = config.tokenizer;
  known.image_encoder = config.image_encoder;
  return find_model(config.folder, known);
}

/// An adapter and how strongly it acts.
struct LoraChoice {
  fs::path path;
  double strength = 1;
};

LoraChoice lora_choice(const std::string& text, const fs::path& folder) {
  LoraChoice choice{text, 1};
  const auto equals = text.rfind('=');
  if (equals != std::string::npos && !fs::exists(text)) {
    choice.path = text.substr(0, equals);
    const auto* begin = text.data() + equals + 1;
    const auto* end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(begin, end, choice.strength);
    if (code != std::errc() || stop != end)
      raise<ConfigError>("[model] lora = ", text, ": '", text.substr(equals + 1),
                         "' is no strength");
  }
  if (!fs::exists(choice.path) && fs::exists(folder / choice.path))
    choice.path = folder / choice.path;
  if (!fs::exists(choice.path))
    raise<IoError>("[model] lora = ", text, ": ", choice.path.string(), " is not there");
  return choice;
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
  at::Device device = at::kCPU;
  ModelFiles files;
  NamedTensors dit_weights;  // memory-mapped, until the transformer has them
  WanDitConfig dit_config;
  WanVaeConfig vae_config;
  std::int64_t stored_bytes = 0;  // of the transformer
  at::ScalarType stored_dtype = at::kFloat;
  std::vector<LoraChoice> loras;
  ComputeChoice compute;
  std::string identity;
  std::optional<WanVae> vae;
  std::unique_ptr<WanDit> dit;
  std::optional<PromptEncoder> prompts;
  std::optional<ClipVision> tower;

  void read_headers();
  void add_loras();
  void open_dit();
  void open_tower();
};

void Pretrained::Parts::read_headers() {
  dit_weights = to_official(open_weights(files.dit), WeightKind::dit, files.dit.string());
  auto heads = config.heads;
  if (heads == 0 && files.layout == ModelLayout::pocket) heads = kPocketHeads;
  try {
    dit_config = WanDit::infer(dit_weights, heads);
  } catch (const IoError& error) {
    raise<IoError>(files.dit.string(), ": ", error.what());
  }
  const auto report =
      match(WanDit(dit_config, at::TensorOptions(at::kMeta)).parameters(), dit_weights);
  if (!report.complete())
    raise<IoError>(files.dit.string(), ": not the weights of a Wan transformer\n", report.text());
  if (files.layout != ModelLayout::pocket) dit_config.text_len = 512;
  for (const auto& [name, tensor] : dit_weights) {
    stored_bytes += static_cast<std::int64_t>(tensor.nbytes());
    if (tensor.dim() > 1) stored_dtype = tensor.scalar_type();
  }
  auto facts = machine_facts();
  facts.large = dit_config.dim >= kLargeDim;
  facts.gpu = !device.is_cpu();
  for (const auto& [name, tensor] : dit_weights) facts.fp32_bytes += 4 * tensor.numel();
  compute = choose_compute(config.dtype, facts);
  for (const auto& text : config.lora) {
    loras.push_back(lora_choice(text, files.folder));
    fit_lora(dit_weights, LoraFile::open(loras.back().path.string()));
  }

  const auto codec = to_official(open_weights(files.vae), WeightKind::vae, files.vae.string());
  try {
    vae_config = WanVae::infer(codec);
  } catch (const IoError& error) {
    raise<IoError>(files.vae.string(), ": ", error.what());
  }
  std::string text = cat("dit ", digest(dit_weights), "\nvae ", digest(codec));
  for (const auto& lora : loras)
    text += cat("\nlora ", digest(open_weights(lora.path)), " ", lora.strength);
  identity = sha256_hex(text).substr(0, 16);
}

void Pretrained::Parts::add_loras() {
  std::vector<WeightedLora> apart;
  for (const auto& choice : loras) {
    WeightedLora lora{LoraFile::open(choice.path.string()), choice.strength};
    const auto shown = cat("adapter ", choice.path.string(), " (", lora.file.naming,
                           " names) at strength ", choice.strength, ": ");
    if (config.resident_blocks >= 0) {
      SVI_INFO("model", shown, lora.file.updates.size(), " layers, kept apart");
      apart.push_back(std::move(lora));
    } else {
      const auto report = merge_lora(*dit, lora);
      SVI_INFO("model", shown, "merged into ", report.loaded.size(), " tensors");
    }
  }
  if (apart.empty()) return;
  const auto composed = compose_loras(apart, dit->linears());
  composed->to(device);
  dit->attach(composed);
}

void Pretrained::Parts::open_dit() {
  constexpr std::size_t kContexts = 2;  // of the prompt and of the negative one
  dit = std::make_unique<WanDit>(dit_config, at::TensorOptions(at::kMeta));
  const auto report = dit->adopt(dit_weights, files.dit.string());
  SVI_INFO("model", "transformer: ", files.dit.string(), ": ", report.text());
  SVI_INFO("model", "computes in ", compute.dtype == at::kBFloat16 ? "bf16" : "fp32", ": ",
           compute.reason);
  dit_weights.clear();
  add_loras();
  DitPlacement placement;
  placement.device = device;
  placement.compute = compute.dtype;
  placement.resident_blocks = config.resident_blocks;
  placement.release_pages = config.release_pages;
  dit->place(placement);
  if (config.int8) SVI_INFO("model", dit->quantise().text());
  ::malloc_trim(0);  // what converting took goes back to the system
  dit->keep_contexts(kContexts);
}

void Pretrained::Parts::open_tower() {
  if (files.image_encoder.empty()) {
    raise<IoError>(
        files.folder.string(), ": this transformer has an image branch, so the image ",
        "encoder is needed: models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth, or ",
        "[model] image_encoder");
  }
  tower.emplace(open_image_encoder(files.image_encoder, device));
}

ClipVision open_image_encoder(const fs::path& path, at::Device device) {
  const auto weights = to_official(open_weights(path), WeightKind::clip, path.string());
  ClipVision tower(ClipVision::infer(weights));
  const auto report = tower.adopt(weights, path.string());
  SVI_INFO("model", "image encoder: ", path.string(), ": ", report.text());
  tower.compute(device, at::kFloat);
  return tower;
}

Pretrained::Pretrained(const PretrainedConfig& config, at::Device device)
    : parts_(std::make_unique<Parts>()) {
  parts_->config = config;
  parts_->device = device;
  parts_->files = files_of(config);
  parts_->read_headers();
}
Pretrained::~Pretrained() = default;

const ModelFiles& Pretrained::files() const { return parts_->files; }
const WanDitConfig& Pretrained::dit_config() const { return parts_->dit_config; }
const WanVaeConfig& Pretrained::vae_config() const { return parts_->vae_config; }
at::Device Pretrained::device() const { return parts_->device; }
at::ScalarType Pretrained::dtype() const { return parts_->compute.dtype; }
std::string Pretrained::identity() const { return parts_->identity; }
bool Pretrained::needs_image() const { return parts_->dit_config.image_dim > 0; }

MemoryRequest Pretrained::memory_request() const {
  const auto& p = *parts_;
  MemoryRequest request;
  request.dit = p.dit_config;
  request.vae = p.vae_config;
  request.dtype = p.compute.dtype;
  request.gpu = !p.device.is_cpu();
  request.resident_blocks = p.config.resident_blocks;
  request.eight_bit = p.config.int8;
  // Merging writes to the mapped pages, which then are the process's own.
  const bool merged = !p.loras.empty() && p.config.resident_blocks < 0;
  request.in_place = p.stored_dtype == p.compute.dtype && !merged;
  request.stored.dit = p.stored_bytes;
  for (const auto& lora : p.loras) {
    if (!merged) request.adapter_bytes += WeightFiles::open(lora.path).bytes();
  }
  if (p.files.layout != ModelLayout::pocket) {
    const auto path = p.files.text_encoder.string();
    const auto stored = WeightFiles::open(path);
    request.text_encoder = Umt5Encoder::infer(to_official(stored.tensors, WeightKind::umt5, path));
    request.stored.text_encoder = stored.bytes();
  }
  if (needs_image() && !p.files.image_encoder.empty()) {
    const auto path = p.files.image_encoder.string();
    const auto stored = WeightFiles::open(path);
    request.image_encoder = ClipVision::infer(to_official(stored.tensors, WeightKind::clip, path));
    request.stored.image_encoder = stored.bytes();
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
    parts_->vae.emplace(WanVae::open(parts_->files.vae.string()));
    parts_->vae->require_grad(false);
    parts_->vae->to(parts_->device, at::kFloat);
  }
  return *parts_->vae;
}

WanDit& Pretrained::dit() {
  if (!parts_->dit) parts_->open_dit();
  return *parts_->dit;
}

PromptEncoder& Pretrained::prompts() {
  auto& encoder = parts_->prompts;
  if (!encoder) {
    PromptEncoder::Config config;
    config.device = parts_->device;
    config.dim = parts_->dit_config.text_dim;
    config.dtype = parts_->compute.dtype;
    if (parts_->files.layout == ModelLayout::pocket) config.length = kPocketLength;
    encoder.emplace(parts_->files, config);
  }
  return *encoder;
}

at::Tensor Pretrained::image(const at::Tensor& frames) {
  if (!parts_->tower) parts_->open_tower();
  return parts_->tower->encode(frames);
}

}  // namespace svi
