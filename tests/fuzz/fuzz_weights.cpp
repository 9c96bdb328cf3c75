#include <ATen/ATen.h>

#include <charconv>
#include <functional>

#include "fuzz.hpp"
#include "svi/model/key_maps.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/lora_files.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"

namespace {

constexpr std::int64_t kLargest = 1 << 14, kMostValues = 1 << 14;

/// A checkpoint as text, one tensor per line: a name, a space, sizes such as 4x3x3. Mutations then
/// keep names apart from shapes, and no file has to be as large as it claims.
svi::NamedTensors read_tensors(std::string_view text) {
  svi::NamedTensors tensors;
  while (!text.empty() && tensors.size() < 400) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto space = line.find(' ');
    std::vector<std::int64_t> sizes;
    auto rest = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
    while (!rest.empty() && sizes.size() < 6) {
      std::int64_t size = 0;
      const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
      if (error != std::errc() || size < 0 || size > kLargest) break;
      sizes.push_back(size);
      rest.remove_prefix(std::min(rest.size(), static_cast<std::size_t>(stop - rest.data()) + 1));
    }
    // One value seen everywhere: as large as it likes, without memory.
    tensors.emplace_back(line.substr(0, space), at::ones({}).expand(sizes));
  }
  return tensors;
}

void try_one(const std::function<void()>& reader) {
  try {
    reader();
  } catch (const svi::Error&) {
  }
}

}  // namespace

/// Whatever the names and shapes: each reader either makes a configuration whose model has names
/// and shapes to compare, or refuses.
void fuzz(std::string_view bytes) {
  const auto tensors = read_tensors(bytes);
  for (const std::int64_t heads : {0, 2}) {
    try_one([&] {
      const auto config = svi::WanDit::infer(tensors, heads);
      require(config.problem().empty());
      if (config.layers > 400) __builtin_trap();  // more than there are tensors
      const svi::WanDit model(config, at::TensorOptions().device(at::kMeta));
      svi::match(model.parameters(), tensors);
    });
  }
  try_one([&] {
    const auto config = svi::WanVae::infer(tensors);
    require(config.problem().empty());
    const svi::WanVae model(config, at::Device(at::kMeta));
    svi::match(model.parameters(), tensors);
  });
  try_one([&] {
    const auto config = svi::Lora::infer(tensors);
    require(config.problem().empty());
    svi::Lora lora(config, {{"blocks.0.self_attn.q", 8, 8}, {"blocks.0.ffn.0", 8, 16}}, 1);
    lora.load(tensors);
  });
  // Whoever reads values reads tensors that a file of some size could hold.
  svi::WeightFiles files;
  for (const auto& named : tensors) {
    if (named.second.numel() <= kMostValues) files.tensors.push_back(named);
  }
  try_one([&] {
    const auto file = svi::LoraFile::parse(files.tensors, "fuzzed");
    for (const auto& update : file.updates)
      require(update.rank() != 0 || update.difference.defined());
    svi::match_lora({{"blocks.0.self_attn.q.weight", at::zeros({8, 8})}}, file);
  });
  for (const auto kind :
       {svi::WeightKind::dit, svi::WeightKind::vae, svi::WeightKind::umt5, svi::WeightKind::clip}) {
    try_one([&] {
      const auto official = svi::read_official(files, "fuzzed", kind);
      require(official.names.size() + official.left_out.size() <= files.tensors.size());
    });
  }
  try_one([&] { svi::read_official(files, "fuzzed", std::nullopt, "ema"); });
}
