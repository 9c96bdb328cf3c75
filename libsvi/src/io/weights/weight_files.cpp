#include "svi/io/weight_files.hpp"

#include <ATen/ATen.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>

#include "io/mapping.hpp"
#include "io/weights/foreign_format.hpp"
#include "io/weights/old_checkpoint.hpp"
#include "io/weights/pth_file.hpp"
#include "io/weights/safetensors_header.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using safetensors::shown;

constexpr std::string_view kIndexEnd = ".index.json";
constexpr std::int64_t kMostShards = 9999;

bool is_pth(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".pth" || extension == ".pt" || extension == ".bin" || extension == ".ckpt";
}

/// Which reader a file is for: its first bytes decide, and where they say nothing its name.
bool holds_pth(const fs::path& path) {
  const Mapping file(path);
  const std::string_view bytes(file.data(), file.size());
  if (const auto foreign = foreign_format(bytes); bytes.size() >= 8 && !foreign.empty())
    raise<IoError>(path.string(), ": ", foreign);
  return is_zip(bytes) || is_old_checkpoint(bytes) || (is_pth(path) && !is_safetensors(bytes));
}

bool is_index(const fs::path& path) { return path.filename().string().ends_with(kIndexEnd); }

/// NAME-00002-of-00007.safetensors.
struct Shard {
  std::string stem, extension;
  std::int64_t number = 0, count = 0;

  fs::path path(const fs::path& folder, std::int64_t other) const {
    const auto digits = [](std::int64_t value) {
      auto text = std::to_string(value);
      return std::string(5 - std::min<std::size_t>(5, text.size()), '0') + text;
    };
    return folder / cat(stem, "-", digits(other), "-of-", digits(count), extension);
  }
};

std::optional<Shard> shard_of(const fs::path& path) {
  static const std::regex kName(R"((.+)-(\d{5})-of-(\d{5})(\.[a-z]+))");
  const auto name = path.filename().string();
  std::smatch match;
  if (name.size() > 255 || !std::regex_match(name, match, kName)) return std::nullopt;
  return Shard{match[1], match[4], std::stoll(match[2]), std::stoll(match[3])};
}

/// Names end up on terminals and in other files.
bool printable(const std::string& name) {
  constexpr std::size_t kLongest = 1024;
  return !name.empty() && name.size() <= kLongest &&
         std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// Adds one file's tensors.
class Pool {
 public:
  void add(const fs::path& path) {
    NamedTensors tensors;
    const bool pth = holds_pth(path);
    if (pth) {
      auto content = open_pth(path);
      tensors = std::move(content.tensors);
      weights_.ignored.insert(weights_.ignored.end(), content.ignored.begin(),
                              content.ignored.end());
    } else {
      const auto file = SafetensorsFile::open(path);
      tensors = file.load_all();
      weights_.metadata.insert(file.metadata().begin(), file.metadata().end());
    }
    if (tensors.empty()) raise<IoError>(path.string(), ": holds no tensors");
    for (auto& [name, tensor] : tensors) {
      if (!printable(name))
        raise<IoError>(path.string(), ": tensor '", shown(name), "': is no name of a weight");
      const auto [held, fresh] = holder_.emplace(name, weights_.files.size());
      if (!fresh) {
        raise<IoError>(path.string(), ": tensor '", shown(name), "' is in ",
                       weights_.files[held->second].string(), ", too");
      }
      weights_.tensors.emplace_back(name, std::move(tensor));
    }
    weights_.files.push_back(path);
    weights_.container = pth ? "pth" : "safetensors";
  }
  /// The file that holds a tensor, or null.
  const fs::path* holder(const std::string& name) const {
    const auto found = holder_.find(name);
    return found == holder_.end() ? nullptr : &weights_.files[found->second];
  }
  WeightFiles take() { return std::move(weights_); }

 private:
  WeightFiles weights_;
  std::map<std::string, std::size_t> holder_;
};

WeightFiles open_shards(const fs::path& path, const Shard& shard) {
  if (shard.count < 1 || shard.count > kMostShards || shard.number < 1 ||
      shard.number > shard.count) {
    raise<IoError>(path.string(), ": there is no part ", shard.number, " of ", shard.count);
  }
  std::string missing;
  for (std::int64_t i = 1; i <= shard.count; ++i) {
    const auto part = shard.path(path.parent_path(), i);
    if (!fs::exists(part)) missing += (missing.empty() ? "" : ", ") + part.filename().string();
  }
  if (!missing.empty()) raise<IoError>(path.string(), ": parts of the set are missing: ", missing);
  Pool pool;
  for (std::int64_t i = 1; i <= shard.count; ++i) pool.add(shard.path(path.parent_path(), i));
  return pool.take();
}

std::map<std::string, std::string> weight_map(const fs::path& path) {
  constexpr std::uintmax_t kLongest = 64 << 20;
  std::error_code error;
  if (fs::file_size(path, error) > kLongest || error)
    raise<IoError>(path.string(), ": cannot be read, or is too long for an index");
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::map<std::string, std::string> map;
  // The index of a checkpoint is three levels deep; anything deeper is not parsed at all.
  const auto shallow = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > 8) throw std::length_error("is nested too deep");
    return true;
  };
  try {
    const auto json = nlohmann::json::parse(text, shallow);
    for (const auto& [name, file] : json.at("weight_map").items())
      map.emplace(name, file.get<std::string>());
  } catch (const std::exception& problem) {
    raise<IoError>(path.string(), ": is no index of a checkpoint: ", problem.what());
  }
  if (map.empty()) raise<IoError>(path.string(), ": its weight_map is empty");
  return map;
}

WeightFiles open_index(const fs::path& path) {
  const auto map = weight_map(path);
  std::set<std::string> files;
  for (const auto& [name, file] : map) {
    if (file != fs::path(file).filename().string() || file.empty() || file == ".." ||
        !is_weight_file(file) || is_index(file)) {
      raise<IoError>(path.string(), ": '", shown(name), "' is said to be in '", shown(file),
                     "', which is no weight file beside the index");
    }
    files.insert(file);
  }
  Pool pool;
  for (const auto& file : files) {
    const auto part = path.parent_path() / file;
    if (!fs::exists(part))
      raise<IoError>(path.string(), ": names ", file, ", which is not beside it");
    pool.add(part);
  }
  for (const auto& [name, file] : map) {
    const auto* holder = pool.holder(name);
    if (holder == nullptr || holder->filename() != file)
      raise<IoError>(path.string(), ": '", shown(name), "' is not in ", shown(file));
  }
  return pool.take();
}

/// What in a folder can be opened, each set of shards once.
std::vector<fs::path> candidates(const fs::path& folder) {
  std::set<fs::path> found;
  std::set<std::string> indexed;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_regular_file() || !is_index(entry.path())) continue;
    found.insert(entry.path());
    for (const auto& [name, file] : weight_map(entry.path())) indexed.insert(file);
  }
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto& path = entry.path();
    if (!entry.is_regular_file() || !is_weight_file(path) || is_index(path)) continue;
    if (indexed.contains(path.filename().string())) continue;
    const auto shard = shard_of(path);
    found.insert(shard ? shard->path(folder, 1) : path);
  }
  return {found.begin(), found.end()};
}

/// What a folder without weights holds instead: "; its wan.gguf is GGUF, ...", or nothing.
std::string what_else(const fs::path& folder) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && !entry.path().filename().string().starts_with('.'))
      files.insert(entry.path());
  }
  for (const auto& path : files) {
    const auto extension = path.extension();
    const bool known = extension == ".gguf" || extension == ".onnx" || extension == ".h5" ||
                       extension == ".npz" || extension == ".zip" || extension == ".tar";
    if (!known) continue;
    const Mapping file(path);
    if (const auto foreign = foreign_format({file.data(), file.size()}); !foreign.empty())
      return cat("; its ", path.filename().string(), " ", foreign);
  }
  return {};
}

}  // namespace

bool is_weight_file(const fs::path& path) {
  return path.extension() == ".safetensors" || is_pth(path) || is_index(path);
}

std::int64_t WeightFiles::bytes() const {
  std::int64_t sum = 0;
  for (const auto& [name, tensor] : tensors)
    sum += tensor.numel() * static_cast<std::int64_t>(tensor.element_size());
  return sum;
}

WeightFiles WeightFiles::open(const fs::path& path) {
  if (fs::is_directory(path)) {
    const auto found = candidates(path);
    if (found.empty())
      raise<IoError>(path.string(), ": holds no weights (.safetensors, .pth, .pt, .bin)",
                     what_else(path));
    if (found.size() > 1) {
      std::string names;
      for (const auto& file : found)
        names += (names.empty() ? "" : ", ") + file.filename().string();
      raise<IoError>(path.string(), ": holds several weights; name one of ", names);
    }
    return open(found.front());
  }
  if (!fs::exists(path)) {
    const auto shard = shard_of(path);
    if (!shard) raise<IoError>(path.string(), ": is not there");
  }
  if (is_index(path)) return open_index(path);
  if (const auto shard = shard_of(path)) return open_shards(path, *shard);
  Pool pool;
  pool.add(path);
  return pool.take();
}

NamedTensors open_weights(const fs::path& path) { return WeightFiles::open(path).tensors; }

NamedTensors parse_pth_weights(std::string_view bytes, const std::string& name) {
  return parse_pth(bytes, name).tensors;
}

}  // namespace svi
