#include <ATen/ATen.h>

#include <iomanip>
#include <iostream>
#include <map>
#include <set>

#include "inspect.hpp"
#include "networks.hpp"
#include "svi/core/check.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/model/lora_files.hpp"
#include "svi/pretrained/memory_plan.hpp"

namespace svi::inspect {
namespace {

/// What a file turned out to be.
struct Finding {
  std::string kind = "unknown";
  std::vector<std::string> facts;
  std::vector<std::string> layers;            // of an adapter, a line each
  std::map<std::string, std::string> places;  // name in the file -> what it is for
  bool mapped = false;                        // whether `places` says all there is to say
  std::vector<std::string> missing;
  std::vector<std::string> mismatched;
};

std::string number(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

/// Rank, alpha and scale of one layer, or what else the adapter does to it.
std::string layer_text(const LoraUpdate& update) {
  if (!update.a.defined()) return "dense difference";
  const auto told = update.alpha ? cat("alpha ", number(*update.alpha))
                                 : std::string("no alpha told, so as the rank");
  return cat("rank ", update.rank(), ", ", told, ", scale ", number(update.scale),
             update.difference.defined() ? ", and a dense difference" : "");
}

void compare(const LoraFile& file, const ListOptions& options, Finding& finding) {
  const auto dit = open_official(options.weights, WeightKind::dit, options.copy, false);
  const auto report = match_lora(dit.tensors, file);
  finding.facts.push_back(cat(options.weights, ": ", report.loaded.size(), " of ",
                              file.updates.size(), " layers fit this transformer"));
  for (const auto& name : report.unexpected)
    finding.missing.push_back("in the transformer: " + name);
  finding.mismatched = report.mismatched;
}

/// An adapter as a film reads it.
Finding as_lora(const WeightFiles& files, const ListOptions& options) {
  Finding finding;
  finding.kind = "LoRA";
  finding.mapped = true;
  LoraFile file;
  try {
    file = LoraFile::read(files, options.path, options.copy);
  } catch (const Error& error) {
    finding.facts.push_back(cat("a film refuses it: ", error.what()));
    return finding;
  }
  finding.places = file.names;
  for (const auto& [name, tensor] : file.others) finding.places.emplace(name, "kept aside");
  std::map<std::string, std::size_t> groups;
  for (const auto& update : file.updates) {
    const auto text = layer_text(update);
    finding.layers.push_back(cat(update.weight, ": ", text));
    ++groups[text];
  }
  finding.facts.push_back(
      cat("adapts ", file.updates.size(), " tensors of a Wan DiT; names of ", file.naming));
  for (const auto& [text, count] : groups) finding.facts.push_back(cat(count, " of ", text));
  if (!file.alpha_origin.empty())
    finding.facts.push_back("alpha of layers without one of their own: from " + file.alpha_origin);
  if (const auto warning = file.warning(); !warning.empty())
    finding.facts.push_back("warning: " + warning);
  if (!options.weights.empty()) compare(file, options, finding);
  return finding;
}

const char* network_name(WeightKind kind) {
  static const std::map<WeightKind, const char*> kNames = {
      {WeightKind::dit, "transformer"},
      {WeightKind::vae, "video codec"},
      {WeightKind::umt5, "text encoder umT5"},
      {WeightKind::clip, "image encoder CLIP"}};
  return kNames.at(kind);
}

Finding as_network(const WeightFiles& files, const ListOptions& options) {
  Finding finding;
  const auto official = read_official(files, options.path, std::nullopt, options.copy, false);
  const auto network = describe(official);
  finding.kind = network.kind;
  finding.facts = network.facts;
  if (official.naming != WeightNaming::official) {
    finding.kind = cat("Wan ", network_name(official.kind), ", not by its official names");
    finding.facts.push_back(cat(network.kind, "; read as it is, as ", official.tensors.size(),
                                " official tensors; svi-inspect convert writes those"));
  }
  if (const auto text = official.text(); !text.empty()) finding.facts.push_back(text);
  finding.mapped = true;
  finding.missing = network.report.missing;
  finding.mismatched = network.report.mismatched;
  const std::set<std::string> unexpected(network.report.unexpected.begin(),
                                         network.report.unexpected.end());
  const std::set<std::string> left(official.left_out.begin(), official.left_out.end());
  for (const auto& [name, tensor] : files.tensors) {
    if (left.contains(name)) continue;
    const auto found = official.names.find(name);
    if (found == official.names.end()) {
      finding.places.emplace(name, "scale or mark of 8-bit weights");
    } else if (!unexpected.contains(found->second)) {
      finding.places.emplace(name, network.place(found->second));
    }
  }
  return finding;
}

/// What svi saved of a model extension, block by block.
Finding as_extension(const WeightFiles& files, const std::string& label) {
  Finding finding;
  finding.kind = cat("model extension '", label, "'");
  finding.mapped = true;
  std::map<std::string, std::int64_t> blocks;  // parameters of blocks.N, or of what lies outside
  std::int64_t parameters = 0;
  for (const auto& [name, tensor] : files.tensors) {
    finding.places.emplace(name, cat("[extension.", label, "]"));
    parameters += tensor.numel();
    const auto begin = name.find("blocks.");
    const auto end = begin == std::string::npos ? begin : name.find('.', begin + 7);
    blocks[end == std::string::npos ? "outside the blocks" : name.substr(begin, end - begin)] +=
        tensor.numel();
  }
  finding.facts.push_back(cat(parameters, " parameters, ", ExtensionSize{label, parameters}.bytes(),
                              " bytes in memory"));
  for (const auto& [where, count] : blocks)
    finding.facts.push_back(cat(where, ": ", count, " parameters"));
  finding.facts.push_back(cat("give it to a model with extension.", label, ".file"));
  return finding;
}

Finding recognise(const WeightFiles& files, const ListOptions& options) {
  const auto extension = files.metadata.find("extension");
  if (extension != files.metadata.end() && options.weights.empty())
    return as_extension(files, extension->second);
  const bool adapter = !weight_kind(files.tensors) && is_lora(files.tensors);
  if (!adapter && !options.weights.empty())
    raise<ConfigError>("--weights: ", options.path, " is no adapter, only those are compared");
  try {
    if (adapter) return as_lora(files, options);
    return as_network(files, options);
  } catch (const Error& error) {
    Finding finding;
    finding.facts.push_back(error.what());
    return finding;
  }
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const auto size : shape) text += cat(text.empty() ? "" : ", ", size);
  return "[" + text + "]";
}

void print_totals(const WeightFiles& weights, std::ostream& out) {
  std::int64_t values = 0;
  std::map<std::string, std::int64_t> dtypes;
  for (const auto& [name, tensor] : weights.tensors) {
    values += tensor.numel();
    dtypes[c10::toString(tensor.scalar_type())] += tensor.numel();
  }
  if (weights.files.size() > 1 || weights.container != "safetensors")
    out << "container: " << weights.files.size() << " " << weights.container << " file(s)\n";
  out << "total: " << weights.tensors.size() << " tensors, " << values << " values, "
      << weights.bytes() << " bytes\n";
  for (const auto& [dtype, count] : dtypes) out << "  " << dtype << ": " << count << " values\n";
  for (const auto& [key, value] : weights.metadata)
    out << "metadata: " << key << " = " << value << '\n';
  for (const auto& name : weights.ignored) out << "no tensor: " << name << '\n';
}

void print_tensors(const WeightFiles& weights, const Finding& finding, std::ostream& out) {
  std::size_t longest = 4;
  for (const auto& [name, tensor] : weights.tensors) longest = std::max(longest, name.size());
  longest = std::min<std::size_t>(longest, 100);
  out << '\n';
  for (const auto& [name, tensor] : weights.tensors) {
    out << std::left << std::setw(static_cast<int>(longest)) << name << "  " << std::setw(14)
        << c10::toString(tensor.scalar_type()) << ' ' << std::setw(24)
        << shape_text(tensor.sizes().vec());
    const auto place = finding.places.find(name);
    if (finding.mapped)
      out << " -> " << (place == finding.places.end() ? "nothing" : place->second);
    out << '\n';
  }
}

}  // namespace

void list(const ListOptions& options, std::ostream& out) {
  const auto weights = WeightFiles::open(options.path);
  const auto finding = recognise(weights, options);
  out << options.path << "\nkind: " << finding.kind << '\n';
  for (const auto& fact : finding.facts) out << "  " << fact << '\n';
  print_totals(weights, out);
  if (finding.mapped) {
    out << "mapped: " << finding.places.size() << " of " << weights.tensors.size() << " tensors\n";
  }
  for (const auto& name : finding.missing) out << "missing: " << name << '\n';
  for (const auto& text : finding.mismatched) out << "wrong shape: " << text << '\n';
  if (!options.tensors) return;
  if (!finding.layers.empty()) out << '\n';
  for (const auto& layer : finding.layers) out << layer << '\n';
  print_tensors(weights, finding, out);
}

}  // namespace svi::inspect
