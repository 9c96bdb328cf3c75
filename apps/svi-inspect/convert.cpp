#include <ATen/ATen.h>

#include <filesystem>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "inspect.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/output_path.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/io/weight_files.hpp"
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
                    std::int64_t heads, std::ostream& out) {
  WanDit dit(WanDit::infer(weights, heads), at::TensorOptions(at::kMeta));
  dit.adopt(weights, "the weights");
  for (const auto& text : loras) {
    const auto equals = text.rfind('=');
    const bool plain = fs::exists(text) || equals == std::string::npos;
    double strength = 1;
    try {
      if (!plain) strength = std::stod(text.substr(equals + 1));
    } catch (const std::exception&) {
      raise<ConfigError>("--lora ", text, ": '", text.substr(equals + 1), "' is no strength");
    }
    const auto path = plain ? text : text.substr(0, equals);
    const auto report = merge_lora(dit, {LoraFile::open(path), strength});
    out << path << " at strength " << strength << ": " << report.text() << '\n';
  }
  return dit.parameters();
}

}  // namespace

void convert(const ConvertOptions& options, std::ostream& out) {
  const auto weights = open_weights(options.input);
  const auto kind = weight_kind(weights);
  if (!kind)
    raise<IoError>(options.input, ": neither a transformer nor a codec or encoder of Wan 2.1");
  auto official = to_official(weights, *kind, options.input);
  if (!options.loras.empty()) {
    if (*kind != WeightKind::dit)
      raise<ConfigError>("--lora: only a transformer takes adapters, this is a ",
                         enum_names(*kind)[static_cast<std::size_t>(*kind)]);
    official = merged(official, options.loras, options.heads, out);
  }
  const auto renamed = from_official(official, *kind, naming_of(options.to));
  constexpr double kGiB = 1 << 30;
  write_weights(options.out, renamed, dtype_of(options.dtype),
                static_cast<std::int64_t>(options.shard_gib * kGiB));
  out << options.out << ": " << renamed.size() << " tensors of a "
      << enum_names(*kind)[static_cast<std::size_t>(*kind)] << ", " << options.to << " names\n";
}

}  // namespace svi::inspect
