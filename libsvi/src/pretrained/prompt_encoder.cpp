#include "svi/pretrained/prompt_encoder.hpp"

#include <ATen/ATen.h>

#include <optional>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/data/text_encoder.hpp"
#include "svi/encoder/text_encoder.hpp"
#include "svi/encoder/umt5.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/key_maps.hpp"

namespace svi {
namespace {

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
  std::optional<PocketTextEncoder> words;
  std::optional<WanTextEncoder> text;
  std::map<std::string, at::Tensor> known;  // prompt -> [L, D]
};

PromptEncoder::PromptEncoder(const ModelFiles& files, const Config& config)
    : parts_(std::make_unique<Parts>()) {
  parts_->config = config;
  if (files.layout == ModelLayout::pocket) {
    parts_->words.emplace(PocketTextEncoder::Config{.length = config.length, .dim = config.dim});
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
      const auto context =
          parts_->words ? parts_->words->encode({prompt}) : parts_->text->encode({prompt});
      found = parts_->known.emplace(prompt, context[0].to(parts_->config.device)).first;
    }
    contexts.push_back(found->second);
  }
  return at::stack(contexts);
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
