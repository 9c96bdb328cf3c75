#include "svi/measure/score_cache.hpp"

#include <cstdlib>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/sha256.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {

namespace fs = std::filesystem;

constexpr const char* kScoreKey = "key";

std::optional<NamedTensors> ScoreCache::find(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  const auto path = path_of(key);
  if (!fs::exists(path)) return std::nullopt;
  try {
    const auto file = SafetensorsFile::open(path);
    const auto kept = file.metadata().find(kScoreKey);
    if (kept == file.metadata().end() || kept->second != key) return std::nullopt;
    NamedTensors numbers;
    for (const auto& [name, tensor] : file.load_all()) numbers.emplace_back(name, tensor.clone());
    return numbers;
  } catch (const IoError& error) {
    SVI_WARN("scores", error.what(), "; the film is measured again");
    return std::nullopt;
  }
}

void ScoreCache::keep(const std::string& key, const NamedTensors& numbers) const {
  if (!folder_.empty()) save_safetensors(path_of(key), numbers, {{kScoreKey, key}});
}

fs::path ScoreCache::path_of(const std::string& key) const {
  const auto hash = sha256_hex(key);
  return folder_ / hash.substr(0, 2) / (hash.substr(2) + ".safetensors");
}

fs::path user_score_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return fs::path(cache) / "svi" / "scores";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return fs::path(home) / ".cache" / "svi" / "scores";
  return {};
}

}  // namespace svi
