#include "svi/model/lora_files.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "model/lora_key.hpp"
#include "model/lora_settings.hpp"
#include "model/mergeable.hpp"
#include "svi/core/check.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/nests.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using Part = LoraKey::Part;

/// What stands beside an adapter in the files of SVI-Dance and SVI-Talk.
bool is_companion(const std::string& name) {
  for (const auto* part : {"dwpose_embedding.", "randomref_embedding_pose.", "audio_proj."}) {
    if (name.find(part) != std::string::npos) return true;
  }
  return false;
}

bool is_state(const std::string& name) { return name.starts_with("optim"); }

void check_update(const LoraUpdate& update, const std::string& origin) {
  const auto where = cat(origin, ": adapter of ", update.weight, ": ");
  if (update.a.defined() != update.b.defined())
    raise<IoError>(where, update.a.defined() ? "B" : "A", " is missing");
  for (const auto& tensor : {update.a, update.b, update.difference}) {
    if (tensor.defined() && !tensor.is_floating_point())
      raise<IoError>(where, "is of ", tensor.scalar_type(), ", not of real numbers");
  }
  if (!update.a.defined()) return;
  if (update.a.dim() < 2 || update.b.dim() < 2 || update.a.size(0) != update.b.size(1))
    raise<IoError>(where, "A ", update.a.sizes(), " and B ", update.b.sizes(),
                   " have no rank in common");
  if (update.a.numel() == 0 || update.b.numel() == 0)
    raise<IoError>(where, "A ", update.a.sizes(), " and B ", update.b.sizes(), " are empty");
}

double alpha_of(const at::Tensor& tensor, const std::string& where) {
  if (tensor.numel() != 1) raise<IoError>(where, " has ", tensor.numel(), " values, not one");
  const auto alpha = tensor.to(at::kDouble).item<double>();
  if (!std::isfinite(alpha)) raise<IoError>(where, " is no number");
  return alpha;
}

std::string part_text(const LoraKey& key) {
  const auto weight = key.weight();
  switch (key.part) {
    case Part::a:
      return "A of " + weight;
    case Part::b:
      return "B of " + weight;
    case Part::alpha:
      return "alpha of " + weight;
    default:
      return "difference of " + weight;
  }
}

/// w + factor b a, in fp32 with the sizes of w.
at::Tensor with_product(const at::Tensor& w, const LoraUpdate& update, double factor) {
  const auto matrix = [&](const at::Tensor& t) { return t.to(w.device(), at::kFloat).flatten(1); };
  return at::addmm(w.flatten(1), matrix(update.b), matrix(update.a), 1, factor).view(w.sizes());
}

/// Sizes of what the update adds, where the tensor cannot take it; empty where it can.
std::string misfit(const at::Tensor& weight, const LoraUpdate& update) {
  if (update.difference.defined() && weight.numel() != update.difference.numel())
    return cat("a difference of ", update.difference.sizes());
  if (!update.a.defined()) return {};
  const bool fits =
      weight.dim() > 1 && weight.size(0) == update.b.size(0) &&
      weight.numel() == update.b.numel() / update.rank() * (update.a.numel() / update.rank());
  return fits ? std::string() : cat("A ", update.a.sizes(), " and B ", update.b.sizes());
}

/// An adapter's tensor and its name taken apart.
struct LoraEntry {
  std::string name;
  at::Tensor tensor;
  LoraKey key;
};

/// What a file's names say; companions and the state of an optimiser go to `file`.
std::vector<LoraEntry> entries_of(const NamedTensors& tensors, LoraFile& file) {
  std::vector<LoraEntry> entries;
  std::string unknown, scheme;
  for (const auto& [name, tensor] : tensors) {
    if (auto key = parse_lora_key(name)) {
      entries.push_back({name, tensor, std::move(*key)});
    } else if (is_companion(name)) {
      file.others.emplace_back(name, tensor);
    } else if (is_state(name)) {
      file.left_out.push_back(name);
    } else {
      if (scheme.empty()) scheme = other_adapter(name);
      unknown += "\n  " + name;
    }
  }
  if (!scheme.empty()) {
    raise<IoError>(file.origin, ": is ", scheme, ", which svi does not read; merge it into the ",
                   "weights where it was made, or take a plain LoRA; its tensors:", unknown);
  }
  if (!unknown.empty())
    raise<IoError>(file.origin,
                   ": not an adapter's tensors, under any naming known here:", unknown);
  return entries;
}

/// Where tensors are given more than once, the one copy that is meant.
void choose_copy(std::vector<LoraEntry>& entries, const std::string& copy, LoraFile& file) {
  std::map<std::pair<std::string, Part>, const LoraEntry*> first;
  std::set<std::string> rivals;
  for (const auto& entry : entries) {
    const auto [other, fresh] =
        first.emplace(std::pair(entry.key.weight(), entry.key.part), &entry);
    if (fresh) continue;
    rivals.insert(entry.key.nest);
    rivals.insert(other->second->key.nest);
    if (rivals.size() == 1) {
      raise<IoError>(file.origin, ": ", entry.name, " and ", other->second->name, ": ",
                     entry.key.weight(), " is adapted twice");
    }
  }
  if (rivals.empty()) return;
  const auto chosen = choose_nest({rivals.begin(), rivals.end()}, copy, file.origin + ":");
  std::erase_if(entries, [&](const LoraEntry& entry) {
    const bool other = entry.key.nest != chosen && rivals.contains(entry.key.nest);
    if (other) file.left_out.push_back(entry.name);
    return other;
  });
}

void add_naming(std::string& all, const std::string& naming) {
  if ((" and " + all + " and ").find(" and " + naming + " and ") == std::string::npos)
    all += (all.empty() ? "" : " and ") + naming;
}

}  // namespace

std::int64_t LoraUpdate::rank() const { return a.defined() ? a.size(0) : 0; }

LoraFile LoraFile::parse(const NamedTensors& tensors, const std::string& origin,
                         const std::string& copy) {
  LoraFile file;
  file.origin = origin;
  auto entries = entries_of(tensors, file);
  choose_copy(entries, copy, file);
  std::map<std::string, LoraUpdate> updates;
  for (const auto& [name, tensor, key] : entries) {
    add_naming(file.naming, key.naming);
    file.names.emplace(name, part_text(key));
    const auto weight = key.weight();
    auto& update = updates[weight];
    update.weight = weight;
    if (key.part == Part::alpha) {
      update.alpha = alpha_of(tensor, cat(origin, ": ", name));
      continue;
    }
    auto& place = key.part == Part::a   ? update.a
                  : key.part == Part::b ? update.b
                                        : update.difference;
    if (place.defined()) raise<IoError>(origin, ": ", name, ": ", weight, " is adapted twice");
    place = tensor;
  }
  if (updates.empty()) raise<IoError>(origin, ": holds no adapter");
  for (auto& [weight, update] : updates) {
    check_update(update, origin);
    if (!update.a.defined() && !update.difference.defined())
      raise<IoError>(origin, ": adapter of ", weight, ": has an alpha, but neither A nor B");
    if (update.alpha && update.a.defined())
      update.scale = *update.alpha / static_cast<double>(update.rank());
    file.updates.push_back(std::move(update));
  }
  return file;
}

LoraFile LoraFile::open(const std::string& path, const std::string& copy) {
  return read(WeightFiles::open(path), path, copy);
}

LoraFile LoraFile::read(const WeightFiles& weights, const std::string& path,
                        const std::string& copy) {
  auto file = parse(weights.tensors, path, copy);
  const bool told = std::all_of(file.updates.begin(), file.updates.end(), [](const auto& update) {
    return update.alpha || !update.a.defined();
  });
  if (told) return file;
  const auto settings = lora_settings(weights, path);
  if (!settings) return file;
  file.alpha_origin = settings->origin;
  for (auto& update : file.updates) {
    if (!update.a.defined() || update.alpha) continue;
    const auto rank = static_cast<double>(update.rank());
    update.alpha = settings->alpha;
    update.scale = settings->alpha / (settings->by_root ? std::sqrt(rank) : rank);
  }
  return file;
}

LoraFile LoraFile::of(const Lora& lora, const std::string& origin) {
  auto file = parse(lora.tensors(), origin);
  for (auto& update : file.updates) update.scale = lora.scale();
  return file;
}

std::string LoraFile::warning() const {
  std::size_t none = 0;
  std::string first;
  for (const auto& update : updates) {
    if (!update.a.defined() || update.scale != 0) continue;
    if (none++ == 0) first = update.weight;
  }
  if (none == 0) return {};
  return cat(none, " of ", updates.size(),
             " layers have alpha 0, so scale 0: their A and B change ", "nothing, such as ", first);
}

bool is_lora(const NamedTensors& tensors) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const auto& named) { return is_lora_name(named.first); });
}

LoraChoice lora_choice(const std::string& text, const std::string& setting,
                       const fs::path& folder) {
  const auto there = [&](const fs::path& path) -> fs::path {
    if (fs::exists(path)) return path;
    return !folder.empty() && fs::exists(folder / path) ? folder / path : fs::path();
  };
  if (const auto path = there(text); !path.empty()) return {path, 1};
  const auto equals = text.rfind('=');
  if (equals == std::string::npos) raise<IoError>(setting, ' ', text, ": is not there");
  const auto strength = finite_number(text.substr(equals + 1));
  if (!strength)
    raise<ConfigError>(setting, ' ', text, ": '", text.substr(equals + 1), "' is no strength");
  const auto path = there(text.substr(0, equals));
  if (path.empty())
    raise<IoError>(setting, ' ', text, ": ", text.substr(0, equals), " is not there");
  return {path, *strength};
}

LoadReport match_lora(const NamedTensors& parameters, const LoraFile& file) {
  std::unordered_map<std::string, at::Tensor> weights;
  for (const auto& [name, weight] : parameters) weights.emplace(name, weight);
  LoadReport report;
  for (const auto& update : file.updates) {
    const auto found = weights.find(update.weight);
    if (found == weights.end()) {
      report.unexpected.push_back(update.weight);
    } else if (const auto problem = misfit(found->second, update); !problem.empty()) {
      report.mismatched.push_back(
          cat(update.weight, ": model ", found->second.sizes(), ", adapter ", problem));
    } else {
      report.loaded.push_back(update.weight);
    }
  }
  return report;
}

LoadReport fit_lora(const NamedTensors& tensors, const LoraFile& file, bool allow_unmatched) {
  auto report = match_lora(tensors, file);
  if (!report.mismatched.empty() || (!report.unexpected.empty() && !allow_unmatched))
    raise<IoError>(file.origin, ": this adapter does not fit the transformer: ", report.text());
  return report;
}

LoadReport merge_lora(WanDit& dit, const WeightedLora& lora, bool allow_unmatched) {
  const c10::NoGradGuard no_grad;
  const auto parameters = dit.parameters();
  auto report = fit_lora(parameters, lora.file, allow_unmatched);
  std::unordered_map<std::string, at::Tensor> weights(parameters.begin(), parameters.end());
  check_merging(parameters, lora.file);
  for (const auto& update : lora.file.updates) {
    const auto found = weights.find(update.weight);
    if (found == weights.end()) continue;
    auto& weight = found->second;
    auto sum = weight.to(at::kFloat);
    if (update.a.defined()) sum = with_product(sum, update, lora.strength * update.scale);
    if (update.difference.defined())
      sum =
          sum + (update.difference.to(sum.device(), at::kFloat) * lora.strength).view(sum.sizes());
    weight.copy_(sum);
  }
  return report;
}

void check_merging(const NamedTensors& parameters, const LoraFile& file) {
  std::set<std::string> changed;
  for (const auto& update : file.updates) changed.insert(update.weight);
  for (const auto& [name, weight] : parameters) {
    if (changed.contains(name)) check_mergeable(name, weight);
  }
}

void check_apart(const LoraFile& file, const std::vector<LinearShape>& linears) {
  std::set<std::string> known;
  for (const auto& linear : linears) known.insert(linear.name + ".weight");
  for (const auto& update : file.updates) {
    if (update.difference.defined() || !known.contains(update.weight)) {
      raise<IoError>(file.origin, ": changes ", update.weight,
                     ", which an adapter kept apart cannot; merge it instead");
    }
  }
}

std::shared_ptr<Lora> compose_loras(const std::vector<WeightedLora>& loras,
                                    const std::vector<LinearShape>& linears) {
  SVI_CHECK(!loras.empty(), "no adapters to compose");
  const c10::NoGradGuard no_grad;
  LoraConfig config{.rank = 0, .targets = {}, .self_attn = false, .cross_attn = false};
  std::vector<std::int64_t> first_rows;
  std::set<std::string> targets;
  for (const auto& lora : loras) {
    check_apart(lora.file, linears);
    first_rows.push_back(config.rank);
    std::int64_t rank = 0;
    for (const auto& update : lora.file.updates) {
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
