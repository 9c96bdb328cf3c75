#include "svi/io/checkpoint.hpp"

#include <cstdio>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {

namespace {

constexpr const char* kStepKey = "svi_step";
constexpr std::size_t kKept = 2;

/// Newest first.
std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const auto name = entry.path().filename().string();
    if (name.rfind("step-", 0) == 0 && entry.path().extension() == ".safetensors")
      files.push_back(entry.path());
  }
  std::sort(files.rbegin(), files.rend());
  return files;
}

Checkpoint load(const std::filesystem::path& path) {
  const auto file = SafetensorsFile::open(path);
  Checkpoint checkpoint;
  checkpoint.metadata = file.metadata();
  const auto step = checkpoint.metadata.find(kStepKey);
  if (step == checkpoint.metadata.end()) raise<IoError>(path.string(), ": is no checkpoint of svi");
  checkpoint.step = std::stoll(step->second);
  checkpoint.metadata.erase(step);
  checkpoint.tensors = file.load_all();
  return checkpoint;
}

}  // namespace

void CheckpointFolder::save(const Checkpoint& checkpoint) const {
  SVI_CHECK(checkpoint.step >= 0, "step ", checkpoint.step);
  char name[64];
  std::snprintf(name, sizeof name, "step-%09lld.safetensors",
                static_cast<long long>(checkpoint.step));
  auto metadata = checkpoint.metadata;
  metadata[kStepKey] = std::to_string(checkpoint.step);
  save_safetensors(folder_ / name, checkpoint.tensors, metadata);

  auto files = files_in(folder_);
  for (std::size_t i = kKept; i < files.size(); ++i) {
    std::error_code none;
    std::filesystem::remove(files[i], none);
  }
}

std::optional<Checkpoint> CheckpointFolder::load_newest() const {
  for (const auto& path : files_in(folder_)) {
    try {
      return load(path);
    } catch (const std::exception& error) {
      SVI_WARN("checkpoint", "passing over a damaged checkpoint: ", error.what());
    }
  }
  return std::nullopt;
}

void CheckpointFolder::clear() const {
  for (const auto& path : files_in(folder_)) {
    std::error_code none;
    std::filesystem::remove(path, none);
  }
}

}  // namespace svi
