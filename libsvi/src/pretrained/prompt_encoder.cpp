#include "svi/pretrained/prompt_encoder.hpp"

#include <ATen/ATen.h>

#include <optional>
#include <set>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/encoder/small_text_encoder.hpp"
#include "svi/encoder/text_encoder.hpp"
#include "svi/encoder/umt5.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/key_maps.hpp"
#include "svi/pretrained/folder_settings.hpp"

namespace svi {
namespace {

constexpr std::size_t kMostWarnings = 8, kShownBytes = 40;

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

/// One line of the text's end, or start, whole characters.
std::string end_of(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  if (text.size() <= kShownBytes) return text;
  auto from = text.size() - kShownBytes;
  while (from < text.size() && !begins_character(text[from])) ++from;
  return "..." + text.substr(from);
}

std::string start_of(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  text.erase(0, text.find_first_not_of(' '));
  if (text.size() <= kShownBytes) return text;
  auto size = kShownBytes;
  while (size > 0 && !begins_character(text[size])) --size;
  return text.substr(0, size) + "...";
}

/// The one that a folder trained here names.
std::unique_ptr<SmallTextEncoder> small_encoder(const std::filesystem::path& folder,
                                                const PromptEncoder::Config& config,
                                                const Registry& registry) {
  const auto origin = cat(folder.string(), "/folder.ini");
  Document document;
  document.set("text_encoder.type", folder_config(folder).text_encoder, origin);
  document.set("text_encoder.length", cat(config.length), origin);
  document.set("text_encoder.dim", cat(config.dim), origin);
  return registry.make<SmallTextEncoder>(document, "");
}

/// umT5 as the cache calls it: one unpadded prompt at a time.
WanTextEncoder::Encode opened(const NamedTensors& weights, const std::string& origin,
                              const PromptEncoder::Config& config) {
  auto network = std::make_shared<Umt5Encoder>(Umt5Encoder::infer(weights));
  const auto report = network->adopt(weights, origin);
  SVI_INFO("model", "text encoder: ", origin, ": ", report.text());
  network->compute(config.device, config.dtype);
  return [network](const at::Tensor& ids) {
    return network->encode(ids, at::full({ids.size(0)}, ids.size(1), at::kLong)).cpu();
  };
}

}  // namespace

struct PromptEncoder::Parts {
  Config config;
  std::unique_ptr<SmallTextEncoder> small;
  std::optional<WanTextEncoder> text;
  std::map<std::string, at::Tensor> known;  // prompt -> [L, D]
  std::set<std::string> cut;                // prompts that were warned of

  void warn(const std::string& prompt);
};

void PromptEncoder::Parts::warn(const std::string& prompt) {
  const auto [read, bytes] =
      small ? std::pair(prompt, small->read_bytes(prompt)) : text->read_part(prompt);
  if (bytes >= read.size() || !cut.insert(prompt).second || cut.size() > kMostWarnings) return;
  SVI_WARN("text", "a prompt is longer than the ", config.length, " ",
           small ? small->unit() : "tokens", " that the text encoder reads; it is cut here: \"",
           end_of(read.substr(0, bytes)), "\" | \"", start_of(read.substr(bytes)),
           "\". Shorten it, or say what matters first");
  if (cut.size() == kMostWarnings) SVI_WARN("text", "further long prompts are not listed");
}

PromptEncoder::PromptEncoder(const ModelFiles& files, const Config& config,
                             const Registry& registry)
    : parts_(std::make_unique<Parts>()) {
  parts_->config = config;
  if (files.layout == ModelLayout::trained) {
    parts_->small = small_encoder(files.folder, config, registry);
    return;
  }
  // Headers only: nothing of the 11 GB is read before a prompt is new.
  const auto path = files.text_encoder.string();
  const auto weights = open_official(path, WeightKind::umt5, config.copy).tensors;
  parts_->text.emplace(
      Tokenizer::open(files.tokenizer),
      [weights, path, config] { return opened(weights, path, config); },
      WanTextEncoder::Config{.weights = weights_identity(weights),
                             .length = config.length,
                             .dim = config.dim,
                             .dtype = config.dtype});
}
PromptEncoder::~PromptEncoder() = default;
PromptEncoder::PromptEncoder(PromptEncoder&&) noexcept = default;

at::Tensor PromptEncoder::encode(const std::vector<std::string>& prompts) {
  std::vector<at::Tensor> contexts;
  for (const auto& prompt : prompts) {
    auto found = parts_->known.find(prompt);
    if (found == parts_->known.end()) {
      parts_->warn(prompt);
      const auto context =
          parts_->small ? parts_->small->encode({prompt}) : parts_->text->encode({prompt});
      found = parts_->known.emplace(prompt, context[0].to(parts_->config.device)).first;
    }
    contexts.push_back(found->second);
  }
  return at::stack(contexts);
}

void PromptEncoder::warn_of_cuts(const std::vector<std::string>& prompts) {
  for (const auto& prompt : prompts) parts_->warn(prompt);
}

void PromptEncoder::release() {
  if (parts_->text) parts_->text->release();
}

bool PromptEncoder::needs_network(const std::vector<std::string>& prompts) const {
  if (!parts_->text) return false;
  return std::any_of(prompts.begin(), prompts.end(), [&](const std::string& prompt) {
    return !parts_->known.contains(prompt) &&
           !std::filesystem::exists(parts_->text->cache_file(prompt));
  });
}

}  // namespace svi
