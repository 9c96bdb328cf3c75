#include "model/lora_settings.hpp"

#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "svi/core/check.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// PEFT's settings, each key behind `prefix`.
std::optional<LoraSettings> settings_from(const std::string& text, const std::string& prefix,
                                          const std::string& origin) {
  const auto shallow = [](int depth, Json::parse_event_t, Json&) {
    if (depth > 8) throw std::length_error("is nested too deep");
    return true;
  };
  LoraSettings settings;
  settings.origin = origin;
  try {
    const auto json = Json::parse(text, shallow);
    if (!json.is_object()) throw std::invalid_argument("no JSON object");
    if (!json.contains(prefix + "lora_alpha")) return std::nullopt;
    settings.alpha = json.at(prefix + "lora_alpha").get<double>();
    settings.by_root = json.value(prefix + "use_rslora", false);
    const auto pattern = json.find(prefix + "alpha_pattern");
    if (pattern != json.end() && pattern->is_object() && !pattern->empty()) {
      raise<IoError>(origin,
                     ": has an alpha_pattern, one alpha per layer, which svi does not read; ",
                     "merge the adapter where it was made");
    }
  } catch (const IoError&) {
    throw;
  } catch (const std::exception& problem) {
    raise<IoError>(origin, ": are no settings of an adapter: ", problem.what());
  }
  if (!std::isfinite(settings.alpha)) raise<IoError>(origin, ": lora_alpha is no number");
  return settings;
}

}  // namespace

std::optional<double> finite_number(std::string_view text) {
  double value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<LoraSettings> lora_settings(const WeightFiles& files, const std::string& path) {
  if (const auto told = files.metadata.find("alpha"); told != files.metadata.end()) {
    const auto alpha = finite_number(told->second);
    if (!alpha) raise<IoError>(path, ": its metadata alpha = ", told->second, " is no number");
    return LoraSettings{*alpha, false, "its metadata"};
  }
  if (const auto told = files.metadata.find("lora_adapter_metadata");
      told != files.metadata.end()) {
    if (auto settings = settings_from(told->second, "transformer.",
                                      path + ": its metadata lora_adapter_metadata"))
      return settings;
  }
  constexpr std::uintmax_t kLongest = 1 << 20;
  const auto& file = files.files.empty() ? fs::path(path) : files.files.front();
  const auto beside = file.parent_path() / "adapter_config.json";
  // PEFT names both; another adapter in the same folder has nothing to do with them.
  std::error_code error;
  if (file.stem() != "adapter_model" || !fs::is_regular_file(beside, error)) return std::nullopt;
  if (fs::file_size(beside, error) > kLongest || error)
    raise<IoError>(beside.string(), ": cannot be read, or is too long");
  std::ifstream in(beside, std::ios::binary);
  return settings_from({std::istreambuf_iterator<char>(in), {}}, "", beside.string());
}

}  // namespace svi
