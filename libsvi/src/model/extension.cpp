#include "svi/model/extension.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "svi/config/document.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/plugin/registry.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

at::Tensor started(const ParameterSpec& spec, std::uint64_t seed) {
  auto value = at::zeros(spec.sizes, at::kFloat);
  const RandomKey key{.seed = derive_seed(seed, number_of_name(spec.name)),
                      .purpose = Purpose::weight_init};
  switch (spec.start) {
    case ParameterStart::zeros:
      return value;
    case ParameterStart::ones:
      return value.fill_(1);
    case ParameterStart::xavier: {
      SVI_CHECK(value.dim() >= 2, spec.name, ": a Xavier start needs sizes [out, in, ...]");
      fill_uniform(key, value.mutable_data_ptr<float>(), value.numel());
      const auto out = static_cast<double>(value.size(0));
      const auto in = static_cast<double>(value[0].numel());
      return value.mul_(2).sub_(1).mul_(std::sqrt(6 / (in + out)));
    }
    case ParameterStart::normal:
      fill_normal(key, value.mutable_data_ptr<float>(), value.numel());
      return value.mul_(1 / std::sqrt(static_cast<double>(value.size(-1))));
  }
  return value;
}

// One line for each name that is on one side only, or of other sizes.
std::string differences(const NamedTensors& wanted, const NamedTensors& given) {
  constexpr std::size_t kShown = 12;
  std::vector<std::string> lines;
  const auto find = [](const NamedTensors& tensors, const std::string& name) {
    const auto found = std::find_if(tensors.begin(), tensors.end(),
                                    [&](const auto& tensor) { return tensor.first == name; });
    return found == tensors.end() ? at::Tensor() : found->second;
  };
  for (const auto& [name, tensor] : wanted) {
    const auto found = find(given, name);
    if (!found.defined()) lines.push_back(cat(name, ": expected ", tensor.sizes(), ", missing"));
    if (found.defined() && found.sizes() != tensor.sizes())
      lines.push_back(cat(name, ": expected ", tensor.sizes(), ", found ", found.sizes()));
  }
  for (const auto& [name, tensor] : given) {
    if (!find(wanted, name).defined())
      lines.push_back(cat(name, ": not expected, found ", tensor.sizes()));
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i) text += "\n  " + lines[i];
  if (lines.size() > kShown) text += cat("\n  ... and ", lines.size() - kShown, " more");
  return text;
}

std::string shown_sizes(const PartRule& rule) {
  std::string text = "[B";
  for (const auto size : rule.sizes) text += size == kAnySize ? ", any" : cat(", ", size);
  return text + "]";
}

bool fits_rule(const at::Tensor& value, const PartRule& rule, std::int64_t batch) {
  if (value.dim() != static_cast<std::int64_t>(rule.sizes.size()) + 1 || value.size(0) != batch)
    return false;
  for (std::size_t i = 0; i < rule.sizes.size(); ++i) {
    const auto size = value.size(static_cast<std::int64_t>(i) + 1);
    if (rule.sizes[i] != kAnySize && rule.sizes[i] != size) return false;
  }
  return true;
}

void check_group(const TokenGroup& group, const ExtensionHost& host, std::int64_t batch,
                 const std::string& title) {
  const auto [B, L, D] = dims<3>(group.tokens, "tokens of a group [B, L, D]");
  SVI_CHECK(B == batch && D == host.dim && L >= 1, title, " brings tokens ", group.tokens.sizes(),
            " to a pass of ", batch, " samples and width ", host.dim);
  const auto& places = group.positions;
  SVI_CHECK(places.defined() && (places.dim() == 2 || places.dim() == 3) && places.size(0) == 3 &&
                places.size(1) == L && (places.dim() == 2 || places.size(2) >= 1),
            title, ": ", L, " tokens need positions [3, ", L, "] or [3, ", L, ", n]");
  SVI_CHECK(!group.time.defined() || (group.time.dim() == 1 && group.time.size(0) == B), title,
            ": the time of a token group is [B], one per sample");
}

void check_views(const AttentionViews& views, const TokenGrid& grid, const std::string& title) {
  const auto V = static_cast<std::int64_t>(views.first.size());
  if (V == 0) return;
  SVI_CHECK(
      views.frames >= 1 && views.shares.defined() && views.shares.sizes().equals({V, views.frames}),
      title, ": ", V, " views of ", views.frames, " frames need shares [", V, ", ", views.frames,
      "]");
  auto sum = at::zeros({grid.frames}, views.shares.options());
  for (std::int64_t v = 0; v < V; ++v) {
    const auto first = views.first[static_cast<std::size_t>(v)];
    SVI_CHECK(first >= 0 && first + views.frames <= grid.frames, title, ": a view of frames ",
              first, " to ", first + views.frames, " of ", grid.frames);
    sum.narrow(0, first, views.frames).add_(views.shares[v]);
  }
  SVI_CHECK((sum - 1).abs().max().item<double>() < 1e-4, title,
            ": the shares of all views sum to one at every frame");
}

}  // namespace

std::uint64_t number_of_name(std::string_view name) {  // FNV-1a
  std::uint64_t number = 0xcbf29ce484222325;
  for (const char c : name) number = (number ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return number;
}

void ExtensionOptions::describe(OptionVisitor& visit) {
  visit(file, {.key = "file",
               .help = "safetensors file of the parameters to start from; empty: a fresh start, "
                       "which changes nothing until it is trained"});
  visit(drop, {.key = "drop",
               .help = "probability that a training sample is told zeros in place of the parts "
                       "that this extension reads, so that guidance can leave them out",
               .min = 0,
               .max = 1});
  visit(train, {.key = "train", .help = "train it with the adapter; off: keep the file's values"});
}

ModelExtension::~ModelExtension() = default;

std::string ModelExtension::title() const { return cat("[", kExtensionPrefix, label_, "]"); }

void ModelExtension::build(const std::string& label, const ExtensionHost& host,
                           std::uint64_t seed) {
  label_ = label;
  host_ = host;
  parameters_.clear();
  places_.clear();
  const auto own_seed = derive_seed(seed, number_of_name(label));
  for (const auto& spec : do_parameters(host)) {
    SVI_CHECK(places_.emplace(spec.name, parameters_.size()).second, title(), " names ", spec.name,
              " twice");
    parameters_.emplace_back(spec.name, started(spec, own_seed));
  }
}

void ModelExtension::require_grad(bool required) {
  for (auto& [name, tensor] : parameters_) tensor.set_requires_grad(required);
}

void ModelExtension::to(const at::Device& device, at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : parameters_)
    tensor = tensor.detach().to(device, dtype).set_requires_grad(tensor.requires_grad());
}

LoadReport ModelExtension::load(const NamedTensors& tensors, const std::string& origin) {
  if (!match(parameters_, tensors).complete()) {
    raise<IoError>(origin, ": not the parameters of ", title(), differences(parameters_, tensors),
                   "\nGive the options that the file was made with, or another file.");
  }
  return load_strict(parameters_, tensors, origin);
}

LoadReport ModelExtension::load_file(const std::filesystem::path& file) {
  return load(do_read_file(file), file.string());
}

NamedTensors ModelExtension::do_read_file(const std::filesystem::path& file) const {
  return SafetensorsFile::open(file).load_all();
}

MadeTrack ModelExtension::do_track_of(std::string_view part, const TrackFile& file) const {
  raise<ConfigError>(file.path, ": ", title(), " makes no track '", part,
                     "' of such a file; give a .safetensors file with one tensor [frames, ...]");
}

void ModelExtension::save(const std::filesystem::path& file) const {
  NamedTensors detached;
  for (const auto& [name, tensor] : parameters_) detached.emplace_back(name, tensor.detach());
  save_safetensors(file, detached, {{"extension", label_}});
}

ExtensionInputs ModelExtension::begin(const ExtensionPass& pass) const {
  SVI_CHECK(host_.dim > 0, "an extension must be built before it is used");
  for (const auto& rule : do_reads()) {
    const auto& value = pass.condition[rule.name];
    if (!value.defined()) {
      if (!rule.required) continue;
      raise<ConfigError>("condition.", rule.name, " is missing, which ", title(),
                         " reads: give data with a track '", rule.name,
                         "', or leave the extension out");
    }
    if (!fits_rule(value, rule, pass.batch)) {
      raise<ConfigError>("condition.", rule.name, " is ", value.sizes(), ", ", title(), " reads ",
                         shown_sizes(rule), " of ", pass.batch, " samples");
    }
  }
  auto made = do_begin(pass);
  const auto& residual = made.residual;
  SVI_CHECK(!residual.defined() ||
                (residual.dim() == 3 && residual.size(0) == pass.batch &&
                 residual.size(1) == pass.grid.tokens() && residual.size(2) == host_.dim),
            title(), " adds ", residual.sizes(), " to input tokens");
  for (const auto& group : made.groups) check_group(group, host_, pass.batch, title());
  check_views(made.views, pass.grid, title());
  return made;
}

at::Tensor ModelExtension::after_cross_attention(const ExtensionBlock& block) const {
  auto added = do_after_cross_attention(block);
  SVI_CHECK(added.defined() && added.sizes() == block.tokens.sizes(), title(),
            " must add the sizes of the tokens, ", block.tokens.sizes());
  return added.to(block.tokens.scalar_type());
}

const at::Tensor& ModelExtension::parameter(std::string_view name) const {
  const auto found = places_.find(name);
  SVI_CHECK(found != places_.end(), title(), " has no parameter ", name);
  return parameters_[found->second].second;
}

at::Tensor ModelExtension::linear(const at::Tensor& x, const std::string& name) const {
  const auto weight = parameter(name + ".weight").to(x.scalar_type());
  if (!places_.contains(name + ".bias")) return at::linear(x, weight);
  return at::linear(x, weight, parameter(name + ".bias").to(x.scalar_type()));
}

LabelledExtensions make_extensions(const Registry& registry, const Document& document,
                                   Document* resolved) {
  LabelledExtensions made;
  for (const auto& section : document.sections()) {
    if (!section.name.starts_with(kExtensionPrefix)) continue;
    const auto label = section.name.substr(kExtensionPrefix.size());
    const bool good =
        !label.empty() && std::all_of(label.begin(), label.end(), [](unsigned char c) {
          return std::isalnum(c) != 0 || c == '_' || c == '-';
        });
    if (!good) {
      raise<ConfigError>(section.origin, ": [", section.name,
                         "] names a file of its own: use letters, digits, '_' and '-'");
    }
    made.emplace_back(label,
                      registry.make<ModelExtension>(document, label, resolved, section.name));
  }
  return made;
}

}  // namespace svi
