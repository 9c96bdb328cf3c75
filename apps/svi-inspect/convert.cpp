#include <ATen/ATen.h>

#include <filesystem>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "inspect.hpp"
#include "networks.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/output_path.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/key_maps.hpp"
#include "svi/model/lora_files.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi::inspect {
namespace {

namespace fs = std::filesystem;

WeightNaming naming_of(const std::string& name) {
  const auto names = enum_names(WeightNaming{});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<WeightNaming>(i);
  }
  raise<ConfigError>("--to ", name, " is not one of official, diffusers, comfyui");
}

std::optional<at::ScalarType> dtype_of(const std::string& name) {
  if (name.empty()) return std::nullopt;
  if (name == "fp32") return at::kFloat;
  if (name == "bf16") return at::kBFloat16;
  if (name == "fp16") return at::kHalf;
  raise<ConfigError>("--dtype ", name, " is not one of fp32, bf16, fp16");
}

std::int64_t bytes_of(const at::Tensor& tensor, std::optional<at::ScalarType> dtype) {
  return tensor.numel() *
         static_cast<std::int64_t>(c10::elementSize(dtype.value_or(tensor.scalar_type())));
}

/// Fills a file in place, tensor by tensor: nothing but the one in work is in memory.
void write_file_of(const fs::path& path, const NamedTensors& tensors,
                   std::optional<at::ScalarType> dtype) {
  std::vector<SafetensorsBuilder::Entry> entries;
  for (const auto& [name, tensor] : tensors)
    entries.push_back({name, dtype.value_or(tensor.scalar_type()), tensor.sizes().vec()});
  SafetensorsBuilder file(path, entries, {{"format", "pt"}});
  for (std::size_t i = 0; i < tensors.size(); ++i)
    file.tensors()[i].second.copy_(tensors[i].second);
  file.commit();
}

fs::path shard_path(const fs::path& out, std::size_t number, std::size_t count) {
  std::ostringstream name;
  name << out.stem().string() << '-' << std::setfill('0') << std::setw(5) << number << "-of-"
       << std::setw(5) << count << out.extension().string();
  return out.parent_path() / name.str();
}

/// One file, or shards with an index where it would be larger than `limit` bytes.
void write_weights(const fs::path& out, const NamedTensors& tensors,
                   std::optional<at::ScalarType> dtype, std::int64_t limit) {
  if (out.extension() != ".safetensors")
    raise<ConfigError>("--out ", out.string(), " must end in .safetensors");
  std::vector<NamedTensors> shards(1);
  std::int64_t size = 0, total = 0;
  for (const auto& named : tensors) {
    const auto bytes = bytes_of(named.second, dtype);
    if (limit > 0 && size > 0 && size + bytes > limit) {
      shards.emplace_back();
      size = 0;
    }
    shards.back().push_back(named);
    size += bytes;
    total += bytes;
  }
  if (shards.size() == 1) return write_file_of(out, shards.front(), dtype);
  const auto index = out.string() + ".index.json";
  check_new_file(index);
  for (std::size_t i = 0; i < shards.size(); ++i)
    check_new_file(shard_path(out, i + 1, shards.size()));
  nlohmann::json map;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const auto path = shard_path(out, i + 1, shards.size());
    write_file_of(path, shards[i], dtype);
    for (const auto& [name, tensor] : shards[i]) map[name] = path.filename().string();
  }
  write_file(index,
             nlohmann::json{{"metadata", {{"total_size", total}}}, {"weight_map", map}}.dump(1));
}

NamedTensors merged(const NamedTensors& weights, const std::vector<std::string>& loras,
                    std::int64_t heads, const std::string& copy, std::ostream& out) {
  WanDit dit(WanDit::infer(weights, heads), at::TensorOptions(at::kMeta));
  dit.adopt(weights, "the weights");
  for (const auto& text : loras) {
    const auto choice = lora_choice(text, "--lora");
    const WeightedLora lora{LoraFile::open(choice.path.string(), copy), choice.strength};
    if (const auto warning = lora.file.warning(); !warning.empty())
      out << choice.path.string() << ": warning: " << warning << '\n';
    const auto report = merge_lora(dit, lora);
    out << choice.path.string() << " at strength " << choice.strength << ": " << report.text()
        << '\n';
  }
  return dit.parameters();
}

/// What is written must be a model: a tensor too few is found here, not in the middle of a film.
void check_whole(const OfficialWeights& weights, const std::string& path) {
  Network network;
  try {
    network = describe(weights);
  } catch (const IoError& error) {
    raise<IoError>(path, ": ", error.what());
  }
  if (!network.report.complete())
    raise<IoError>(path, ": not the whole of a ", network.kind, ": ", network.report.text());
}

}  // namespace

void convert(const ConvertOptions& options, std::ostream& out) {
  auto weights = open_official(options.input, std::nullopt, options.copy);
  if (const auto text = weights.text(); !text.empty()) out << options.input << ": " << text << '\n';
  check_whole(weights, options.input);
  const auto kind = weights.kind;
  const auto kind_name = enum_names(kind)[static_cast<std::size_t>(kind)];
  if (!options.loras.empty()) {
    if (kind != WeightKind::dit)
      raise<ConfigError>("--lora: only a transformer takes adapters, this is a ", kind_name);
    weights.tensors = merged(weights.tensors, options.loras, options.heads, options.copy, out);
  }
  const auto renamed = from_official(weights.tensors, kind, naming_of(options.to));
  constexpr double kGiB = 1 << 30;
  write_weights(options.out, renamed, dtype_of(options.dtype),
                static_cast<std::int64_t>(options.shard_gib * kGiB));
  out << options.out << ": " << renamed.size() << " tensors of a " << kind_name << ", "
      << options.to << " names\n";
}

}  // namespace svi::inspect
