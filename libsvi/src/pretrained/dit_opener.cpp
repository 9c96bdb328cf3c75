#include "svi/pretrained/dit_opener.hpp"

#include <ATen/ATen.h>
#include <malloc.h>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/pretrained/dit_file.hpp"

namespace svi {
namespace {

constexpr std::int64_t kLargeDim = 1024;  // from here on a transformer is of official size

}  // namespace

DitOpener::DitOpener(PretrainedConfig config, ModelFiles files, std::int64_t heads,
                     at::Device device)
    : config_(std::move(config)), files_(std::move(files)), device_(device) {
  auto file = open_dit_file(files_.dit, files_.layout, heads, config_.copy);
  weights_ = std::move(file.weights);
  sizes_ = file.config;
  auto facts = machine_facts();
  facts.large = sizes_.dim >= kLargeDim;
  facts.gpu = !device_.is_cpu();
  for (const auto& [name, tensor] : weights_) {
    stored_bytes_ += static_cast<std::int64_t>(tensor.nbytes());
    if (tensor.dim() > 1) stored_dtype_ = tensor.scalar_type();
    facts.fp32_bytes += 4 * tensor.numel();
  }
  compute_ = choose_compute(config_.dtype, facts);
  for (const auto& text : config_.lora) check_lora(text);
}

/// An adapter that does not fit is refused before anything is begun.
void DitOpener::check_lora(const std::string& text) {
  loras_.push_back(lora_choice(text, "[model] lora =", files_.folder));
  const auto file = LoraFile::open(loras_.back().path.string(), config_.copy);
  fit_lora(weights_, file);
  if (merges()) {
    check_merging(weights_, file);
  } else {
    check_apart(file, WanDit(sizes_, at::TensorOptions(at::kMeta)).linears());
  }
}

std::unique_ptr<WanDit> DitOpener::adopt() {
  SVI_CHECK(!weights_.empty(), "this transformer was opened before");
  auto dit = std::make_unique<WanDit>(sizes_, at::TensorOptions(at::kMeta));
  const auto report = dit->adopt(weights_, files_.dit.string());
  SVI_INFO("model", "transformer: ", files_.dit.string(), ": ", report.text());
  weights_.clear();
  return dit;
}

std::vector<WeightedLora> DitOpener::read_loras() const {
  std::vector<WeightedLora> loras;
  for (const auto& choice : loras_) {
    loras.push_back({LoraFile::open(choice.path.string(), config_.copy), choice.strength});
    if (const auto warning = loras.back().file.warning(); !warning.empty())
      SVI_WARN("model", choice.path.string(), ": ", warning);
  }
  return loras;
}

void DitOpener::add(WanDit& dit, const std::vector<WeightedLora>& loras, bool merge) const {
  for (const auto& lora : loras) {
    const auto shown = cat("adapter ", lora.file.origin, " (", lora.file.naming,
                           " names) at strength ", lora.strength, ": ");
    if (merge) {
      const auto report = merge_lora(dit, lora);
      SVI_INFO("model", shown, "merged into ", report.loaded.size(), " tensors");
    } else {
      SVI_INFO("model", shown, lora.file.updates.size(), " layers, kept apart");
    }
  }
  if (merge || loras.empty()) return;
  const auto composed = compose_loras(loras, dit.linears());
  composed->to(device_);
  dit.attach(composed);
}

std::unique_ptr<WanDit> DitOpener::for_films(const std::vector<WeightedLora>& more) {
  constexpr std::size_t kContexts = 2;  // of the prompt and of the negative one
  auto dit = adopt();
  SVI_INFO("model", "computes in ", compute_.dtype == at::kBFloat16 ? "bf16" : "fp32", ": ",
           compute_.reason);
  auto loras = read_loras();
  loras.insert(loras.end(), more.begin(), more.end());
  add(*dit, loras, merges());
  DitPlacement placement;
  placement.device = device_;
  placement.compute = compute_.dtype;
  placement.resident_blocks = config_.resident_blocks;
  placement.release_pages = config_.release_pages;
  dit->place(placement);
  if (config_.int8) SVI_INFO("model", dit->quantise().text());
  ::malloc_trim(0);  // what converting took goes back to the system
  dit->keep_contexts(kContexts);
  return dit;
}

std::unique_ptr<WanDit> DitOpener::for_training(at::ScalarType dtype) {
  auto dit = adopt();
  add(*dit, read_loras(), true);
  dit->to(device_, dtype);
  return dit;
}

}  // namespace svi
