#include "svi/model/lora_files.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "model/lora_key.hpp"
#include "model/mergeable.hpp"
#include "svi/core/check.hpp"
#include "svi/io/weight_files.hpp"

namespace svi {
namespace {

using Part = LoraKey::Part;

/// What stands beside an adapter in the files of SVI-Dance and SVI-Talk.
bool is_companion(const std::string& name) {
  for (const auto* part : {"dwpose_embedding.", "randomref_embedding_pose.", "audio_proj."}) {
    if (name.find(part) != std::string::npos) return true;
  }
  return false;
}

std::string weight_of(const LoraKey& key) {
  if (key.part == Part::modulation_diff) return key.layer + ".modulation";
  const bool is_parameter = key.layer.ends_with("modulation");
  if (key.part == Part::bias_diff) return key.layer + ".bias";
  return is_parameter ? key.layer : key.layer + ".weight";
}

void check_update(const LoraUpdate& update, const std::string& origin) {
  const auto where = cat(origin, ": adapter of ", update.weight, ": ");
  if (update.a.defined() != update.b.defined())
    raise<IoError>(where, update.a.defined() ? "B" : "A", " is missing");
  if (!update.a.defined()) return;
  if (update.a.dim() < 2 || update.b.dim() < 2 || update.a.size(0) != update.b.size(1))
    raise<IoError>(where, "A ", update.a.sizes(), " and B ", update.b.sizes(),
                   " have no rank in common");
}

/// b a as a matrix: [out, in x kernel].
at::Tensor product(const LoraUpdate& update) {
  return at::mm(update.b.to(at::kFloat).flatten(1), update.a.to(at::kFloat).flatten(1));
}

std::int64_t value_count(const LoraUpdate& update) {
  if (update.difference.defined()) return update.difference.numel();
  return update.b.size(0) * (update.a.numel() / update.a.size(0));
}

}  // namespace

LoraFile LoraFile::parse(const NamedTensors& tensors, const std::string& origin) {
  LoraFile file;
  file.origin = origin;
  std::map<std::string, LoraUpdate> updates;
  std::map<std::string, double> alphas;
  std::string unknown;
  for (const auto& [name, tensor] : tensors) {
    const auto key = parse_lora_key(name);
    if (!key) {
      if (is_companion(name)) {
        file.others.emplace_back(name, tensor);
      } else {
        unknown += "\n  " + name;
      }
      continue;
    }
    if (file.naming.empty()) file.naming = key->naming;
    const auto weight = weight_of(*key);
    if (key->part == Part::alpha) {
      if (tensor.numel() != 1)
        raise<IoError>(origin, ": ", name, " has ", tensor.numel(), " values, not one");
      alphas[weight] = tensor.to(at::kDouble).item<double>();
      continue;
    }
    auto& update = updates[weight];
    update.weight = weight;
    auto& place = key->part == Part::a   ? update.a
                  : key->part == Part::b ? update.b
                                         : update.difference;
    if (place.defined()) raise<IoError>(origin, ": ", name, ": ", weight, " is adapted twice");
    place = tensor;
  }
  if (!unknown.empty())
    raise<IoError>(origin, ": not an adapter's tensors, under any naming known here:", unknown);
  if (updates.empty()) raise<IoError>(origin, ": holds no adapter");
  for (auto& [weight, update] : updates) {
    check_update(update, origin);
    const auto alpha = alphas.find(weight);
    if (alpha != alphas.end() && update.a.defined())
      update.scale = alpha->second / static_cast<double>(update.a.size(0));
    file.updates.push_back(std::move(update));
  }
  return file;
}

LoraFile LoraFile::open(const std::string& path) {
  const auto weights = WeightFiles::open(path);
  auto file = parse(weights.tensors, path);
  // Files written here tell one alpha for all layers in their metadata.
  const auto alpha = weights.metadata.find("alpha");
  if (alpha == weights.metadata.end()) return file;
  try {
    const auto value = std::stod(alpha->second);
    for (auto& update : file.updates) {
      if (update.a.defined() && update.scale == 1)
        update.scale = value / static_cast<double>(update.a.size(0));
    }
  } catch (const std::exception&) {
    raise<IoError>(path, ": its metadata alpha = ", alpha->second, " is no number");
  }
  return file;
}

LoadReport fit_lora(const NamedTensors& tensors, const LoraFile& file, bool allow_unmatched) {
  std::unordered_map<std::string, at::Tensor> weights;
  for (const auto& [name, weight] : tensors) weights.emplace(name, weight);
  LoadReport report;
  for (const auto& update : file.updates) {
    const auto found = weights.find(update.weight);
    if (found == weights.end()) {
      report.unexpected.push_back(update.weight);
    } else if (found->second.numel() != value_count(update) ||
               (update.a.defined() && found->second.size(0) != update.b.size(0))) {
      report.mismatched.push_back(
          cat(update.weight, ": model ", found->second.sizes(), ", adapter of another size"));
    } else {
      check_mergeable(update.weight, found->second);
      report.loaded.push_back(update.weight);
    }
  }
  if (!report.mismatched.empty() || (!report.unexpected.empty() && !allow_unmatched)) {
    raise<IoError>(file.origin, ": this adapter does not fit the transformer: ", report.text());
  }
  return report;
}

LoadReport merge_lora(WanDit& dit, const WeightedLora& lora, bool allow_unmatched) {
  const c10::NoGradGuard no_grad;
  auto report = fit_lora(dit.parameters(), lora.file, allow_unmatched);
  std::unordered_map<std::string, at::Tensor> weights;
  for (auto& [name, weight] : dit.parameters()) weights.emplace(name, weight);
  for (const auto& update : lora.file.updates) {
    const auto found = weights.find(update.weight);
    if (found == weights.end()) continue;
    auto& weight = found->second;
    auto sum = weight.to(at::kFloat);
    if (update.a.defined())
      sum = sum +
            (product(update) * (lora.strength * update.scale)).to(sum.device()).view(sum.sizes());
    if (update.difference.defined())
      sum =
          sum + (update.difference.to(sum.device(), at::kFloat) * lora.strength).view(sum.sizes());
    weight.copy_(sum);
  }
  return report;
}

std::shared_ptr<Lora> compose_loras(const std::vector<WeightedLora>& loras,
                                    const std::vector<LinearShape>& linears) {
  SVI_CHECK(!loras.empty(), "no adapters to compose");
  const c10::NoGradGuard no_grad;
  std::set<std::string> known;
  for (const auto& linear : linears) known.insert(linear.name + ".weight");
  LoraConfig config{.rank = 0, .targets = {}, .self_attn = false, .cross_attn = false};
  std::vector<std::int64_t> first_rows;
  std::set<std::string> targets;
  for (const auto& lora : loras) {
    first_rows.push_back(config.rank);
    std::int64_t rank = 0;
    for (const auto& update : lora.file.updates) {
      if (update.difference.defined() || !known.contains(update.weight)) {
        raise<IoError>(lora.file.origin, ": changes ", update.weight,
                       ", which an adapter kept apart cannot; merge it instead");
      }
      rank = std::max(rank, update.a.size(0));
      const auto& name = update.weight;
      const bool self = name.find(".self_attn.") != std::string::npos,
                 cross = name.find(".cross_attn.") != std::string::npos;
      config.self_attn |= self;
      config.cross_attn |= cross;
      const auto layer = name.substr(0, name.size() - 7);  // without ".weight"
      targets.insert(self || cross ? layer.substr(layer.rfind('.') + 1)
                                   : layer.substr(layer.find("ffn.")));
    }
    config.rank += rank;
  }
  config.alpha = static_cast<double>(config.rank);
  config.targets.assign(targets.begin(), targets.end());
  auto composed = std::make_shared<Lora>(config, linears, 0);
  composed->require_grad(false);
  composed->flat().zero_();
  std::unordered_map<std::string, const LoraAdapter*> places;
  for (const auto& adapter : composed->adapters())
    places.emplace(adapter.layer.name + ".weight", &adapter);
  for (std::size_t i = 0; i < loras.size(); ++i) {
    for (const auto& update : loras[i].file.updates) {
      const auto& place = *places.at(update.weight);
      const auto rank = update.a.size(0);
      if (place.layer.in != update.a.size(1) || place.layer.out != update.b.size(0))
        raise<IoError>(loras[i].file.origin, ": adapter of ", update.weight,
                       " does not fit the model's layer");
      place.a.narrow(0, first_rows[i], rank).copy_(update.a);
      place.b.narrow(1, first_rows[i], rank)
          .copy_(update.b.to(at::kFloat) * (loras[i].strength * update.scale));
    }
  }
  return composed;
}

}  // namespace svi
