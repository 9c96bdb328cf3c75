#include "svi/model/key_maps.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "model/renaming.hpp"
#include "model/scaled_weights.hpp"
#include "svi/core/check.hpp"
#include "svi/model/nests.hpp"

namespace svi {
namespace {

/// A tensor by which a file of a kind and naming is known.
struct Mark {
  WeightKind kind;
  WeightNaming naming;
  std::string_view name;
};

constexpr Mark kMarks[] = {
    {WeightKind::dit, WeightNaming::diffusers, "condition_embedder.time_proj.weight"},
    {WeightKind::dit, WeightNaming::official, "time_projection.1.weight"},
    {WeightKind::vae, WeightNaming::diffusers, "post_quant_conv.weight"},
    {WeightKind::vae, WeightNaming::official, "decoder.conv1.weight"},
    {WeightKind::umt5, WeightNaming::diffusers, "encoder.final_layer_norm.weight"},
    {WeightKind::umt5, WeightNaming::official, "blocks.0.pos_embedding.embedding.weight"},
    {WeightKind::clip, WeightNaming::diffusers, "vision_model.embeddings.class_embedding"},
    {WeightKind::clip, WeightNaming::official, "visual.cls_embedding"}};

const char* network(WeightKind kind) {
  switch (kind) {
    case WeightKind::dit:
      return "a Wan transformer";
    case WeightKind::vae:
      return "a Wan VAE";
    case WeightKind::umt5:
      return "a umT5 encoder";
    default:
      return "a CLIP image tower";
  }
}

/// A network that a file holds: every name begins with the nest and a dot.
struct Style {
  WeightKind kind;
  WeightNaming naming;
  std::string nest;
};

struct Networks {
  std::vector<Style> found;
  std::vector<std::string> strange;  // what stands where a nest could, but is none known here
};

bool is_known(std::string_view nest) {
  while (!nest.empty()) {
    const auto dot = std::min(nest.find('.'), nest.size());
    const auto part = nest.substr(0, dot);
    const bool number = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
    if (!number && !is_nest(part)) return false;
    nest.remove_prefix(std::min(dot + 1, nest.size()));
  }
  return true;
}

Networks networks_in(const NamedTensors& weights) {
  Networks result;
  for (const auto& mark : kMarks) {
    for (const auto& [name, tensor] : weights) {
      if (!name.ends_with(mark.name)) continue;
      auto nest = name.substr(0, name.size() - mark.name.size());
      if (!nest.empty() && nest.back() != '.') continue;
      if (!nest.empty()) nest.pop_back();
      if (is_known(nest)) {
        result.found.push_back({mark.kind, mark.naming, nest});
      } else {
        result.strange.push_back(nest);
      }
    }
  }
  return result;
}

/// Names without what wrappers wrote into them.
NamedTensors unwrapped(const NamedTensors& weights, const std::string& origin,
                       std::vector<std::string>& taken,
                       std::unordered_map<std::string, std::string>& first) {
  NamedTensors clean;
  for (const auto& [name, tensor] : weights) {
    auto plain = without_wrappers(name, &taken);
    const auto [other, fresh] = first.emplace(plain, name);
    if (!fresh)
      raise<IoError>(origin, ": ", name, " and ", other->second, " are the same tensor, ", plain);
    clean.emplace_back(std::move(plain), tensor);
  }
  return clean;
}

/// What trainers keep beside weights that stand in no nest.
bool is_bookkeeping(std::string_view name) {
  for (const std::string_view start :
       {"optim", "lr_scheduler", "scheduler", "scaler", "grad_scaler", "rng", "cuda_rng",
        "random_state", "critic", "discriminator", "loss.", "callbacks"}) {
    if (name.starts_with(start)) return true;
  }
  for (const std::string_view whole :
       {"n_averaged", "num_updates", "decay", "step", "global_step", "epoch", "iteration"}) {
    if (name == whole) return true;
  }
  return false;
}

bool starts_with_nest(std::string_view name, std::string_view nest) {
  return nest.empty() ||
         (name.size() > nest.size() && name.starts_with(nest) && name[nest.size()] == '.');
}

Style choose(const Networks& networks, std::optional<WeightKind> kind, const std::string& copy,
             const std::string& origin) {
  std::vector<Style> fitting;
  for (const auto& style : networks.found) {
    if (!kind || style.kind == *kind) fitting.push_back(style);
  }
  if (fitting.empty()) {
    if (!networks.strange.empty()) {
      raise<IoError>(origin, ": its names begin with '", networks.strange.front(),
                     ".', which is no wrapper known here; save the tensors without it");
    }
    raise<IoError>(origin, ": ",
                   kind ? cat("not the weights of ", network(*kind))
                        : "neither a transformer nor a codec or encoder of Wan 2.1",
                   " under any naming known here",
                   networks.found.empty() ? std::string()
                                          : cat(", but of ", network(networks.found.front().kind)));
  }
  // Of the parts of a model, only the transformer comes in several copies as a rule.
  const bool free = fitting.size() == 1 && kind && *kind != WeightKind::dit;
  std::vector<std::string> nests;
  for (const auto& style : fitting) nests.push_back(style.nest);
  const auto chosen = choose_nest(nests, free ? std::string() : copy, origin + ":");
  const auto at = std::find(nests.begin(), nests.end(), chosen);
  return fitting[static_cast<std::size_t>(at - nests.begin())];
}

OfficialWeights official_in(const NamedTensors& weights, bool marked, const std::string& origin,
                            std::optional<WeightKind> kind, const std::string& copy, bool values) {
  OfficialWeights result;
  std::unordered_map<std::string, std::string> in_file;  // plain name -> the file's
  const auto clean = unwrapped(weights, origin, result.wrappers, in_file);
  const auto networks = networks_in(clean);
  if (networks.found.empty())
    multiplied_out(clean, origin, marked, false);  // its message says more
  const auto style = choose(networks, kind, copy, origin);
  result.kind = style.kind;
  result.naming = style.naming;
  result.nest = style.nest;

  NamedTensors own;
  for (const auto& [name, tensor] : clean) {
    const bool of_another = std::any_of(
        networks.found.begin(), networks.found.end(), [&, &key = name](const Style& other) {
          return other.nest.size() > style.nest.size() &&
                 starts_with_nest(other.nest, style.nest) && starts_with_nest(key, other.nest);
        });
    if (name == "scaled_fp8") {  // stands at the top, wherever the weights stand
      marked = result.scaled = true;
    } else if (!of_another && starts_with_nest(name, style.nest) && !is_bookkeeping(name)) {
      own.emplace_back(name, tensor);
    } else {
      result.left_out.push_back(in_file.at(name));
    }
  }
  const auto plain = multiplied_out(own, origin, marked, values);
  result.scaled |= plain.size() < own.size();
  NamedTensors bare;
  std::unordered_map<std::string, std::string> before;
  const auto skip = style.nest.empty() ? 0 : style.nest.size() + 1;
  for (const auto& [name, tensor] : plain) {
    bare.emplace_back(name.substr(skip), tensor);
    before.emplace(bare.back().first, in_file.at(name));
  }
  if (style.naming == WeightNaming::official) {
    for (const auto& [name, file] : before) result.names.emplace(file, name);
    result.tensors = std::move(bare);
    return result;
  }
  auto renamed = official_names(bare, style.kind, origin);
  result.tensors = std::move(renamed.tensors);
  for (const auto& [theirs, ours] : renamed.names) result.names.emplace(before.at(theirs), ours);
  for (const auto& theirs : renamed.unused) result.left_out.push_back(before.at(theirs));
  return result;
}

}  // namespace

std::string OfficialWeights::text() const {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (!nest.empty()) add(cat("names stand under '", nest, ".'"));
  std::string taken;
  for (const auto& wrapper : wrappers) taken += (taken.empty() ? "" : ", ") + wrapper;
  if (!taken.empty()) add(cat("taken out of names: ", taken));
  if (scaled) add("8-bit weights are multiplied by their scales");
  if (!left_out.empty())
    add(cat(left_out.size(), " tensors are left out, such as ", left_out.front()));
  return text;
}

OfficialWeights read_official(const WeightFiles& files, const std::string& origin,
                              std::optional<WeightKind> kind, const std::string& copy,
                              bool values) {
  // ComfyUI's second form says in the metadata which layers are scaled.
  const auto told = files.metadata.find("_quantization_metadata");
  const bool marked =
      told != files.metadata.end() && told->second.find("float8") != std::string::npos;
  return official_in(files.tensors, marked, origin, kind, copy, values);
}

OfficialWeights open_official(const std::filesystem::path& path, std::optional<WeightKind> kind,
                              const std::string& copy, bool values) {
  return read_official(WeightFiles::open(path), path.string(), kind, copy, values);
}

std::optional<WeightKind> weight_kind(const NamedTensors& weights) {
  NamedTensors clean;
  for (const auto& [name, tensor] : weights) clean.emplace_back(without_wrappers(name), tensor);
  const auto networks = networks_in(clean).found;
  if (networks.empty()) return std::nullopt;
  return networks.front().kind;
}

NamedTensors to_official(const NamedTensors& weights, WeightKind kind, const std::string& origin) {
  return official_in(weights, false, origin, kind, {}, true).tensors;
}

}  // namespace svi
