#include "svi/pretrained/pretrained.hpp"

#include <ATen/ATen.h>

#include <charconv>
#include <map>
#include <optional>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/sha256.hpp"
#include "svi/data/text_encoder.hpp"
#include "svi/encoder/clip_vision.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/key_maps.hpp"
#include "svi/model/lora_files.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPocketHeads = 4;
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
  std::vector<LoraChoice> loras;
  at::ScalarType dtype = at::kFloat;
  std::string identity;
  std::optional<WanVae> vae;
  std::unique_ptr<WanDit> dit;
  std::optional<PocketTextEncoder> words;
  std::optional<ClipVision> tower;
  std::map<std::string, at::Tensor> texts;  // prompt -> [L, D]

  void read_headers();
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
  const bool large = dit_config.dim >= kLargeDim;
  const bool narrow =
      config.dtype == ComputeType::bf16 || (config.dtype == ComputeType::automatic && large);
  dtype = narrow ? at::kBFloat16 : at::kFloat;
  for (const auto& text : config.lora) loras.push_back(lora_choice(text, files.folder));

  std::string text = cat("dit ", digest(dit_weights), "\nvae ", digest(open_weights(files.vae)));
  for (const auto& lora : loras)
    text += cat("\nlora ", digest(open_weights(lora.path)), " ", lora.strength);
  identity = sha256_hex(text).substr(0, 16);
}

void Pretrained::Parts::open_dit() {
  SVI_INFO("model", "transformer: ", files.dit.string());
  dit = std::make_unique<WanDit>(dit_config, at::TensorOptions(dtype));
  dit->load(dit_weights, files.dit.string());
  dit_weights.clear();
  for (const auto& choice : loras) {
    const auto file = LoraFile::open(choice.path.string());
    const auto report = merge_lora(*dit, {file, choice.strength});
    SVI_INFO("model", "adapter ", choice.path.string(), " (", file.naming, " names) at strength ",
             choice.strength, ": merged into ", report.loaded.size(), " tensors");
  }
  dit->to(device, dtype);
}

void Pretrained::Parts::open_tower() {
  if (files.image_encoder.empty()) {
    raise<IoError>(
        files.folder.string(), ": this transformer has an image branch, so the image ",
        "encoder is needed: models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth, or ",
        "[model] image_encoder");
  }
  SVI_INFO("model", "image encoder: ", files.image_encoder.string());
  const auto weights = to_official(open_weights(files.image_encoder), WeightKind::clip,
                                   files.image_encoder.string());
  tower.emplace(ClipVision::infer(weights));
  tower->adopt(weights, files.image_encoder.string());
  tower->compute(device, at::kFloat);
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
at::Device Pretrained::device() const { return parts_->device; }
at::ScalarType Pretrained::dtype() const { return parts_->dtype; }
std::string Pretrained::identity() const { return parts_->identity; }
bool Pretrained::needs_image() const { return parts_->dit_config.image_dim > 0; }

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

void Pretrained::encode_prompts(const std::vector<std::string>& prompts) {
  std::vector<std::string> fresh;
  for (const auto& prompt : prompts) {
    if (!parts_->texts.contains(prompt)) fresh.push_back(prompt);
  }
  if (fresh.empty()) return;
  if (!parts_->words) {
    parts_->words.emplace(PocketTextEncoder::Config{.dim = parts_->dit_config.text_dim});
  }
  const auto contexts = parts_->words->encode(fresh);
  for (std::size_t i = 0; i < fresh.size(); ++i)
    parts_->texts[fresh[i]] = contexts[static_cast<std::int64_t>(i)];
}

at::Tensor Pretrained::text(const std::vector<std::string>& prompts) {
  encode_prompts(prompts);
  std::vector<at::Tensor> contexts;
  for (const auto& prompt : prompts) contexts.push_back(parts_->texts.at(prompt));
  return at::stack(contexts).to(parts_->device);
}

at::Tensor Pretrained::image(const at::Tensor& frames) {
  if (!parts_->tower) parts_->open_tower();
  return parts_->tower->encode(frames);
}

}  // namespace svi
