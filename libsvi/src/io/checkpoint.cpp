#include "svi/io/checkpoint.hpp"

#include <cstdio>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/io/checksum.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {

namespace {

constexpr const char *kStepKey = "svi_step", *kSumKey = "svi_sha256";
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

std::string sum_of(const Checkpoint& checkpoint) {
  std::string facts = cat(checkpoint.step, "\n");
  for (const auto& [key, value] : checkpoint.metadata) facts += cat(key, " = ", value, "\n");
  return checksum(checkpoint.tensors, facts);
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
  const auto sum = checkpoint.metadata.extract(kSumKey);  // older files have none
  if (sum && sum.mapped() != sum_of(checkpoint))
    raise<IoError>(path.string(), ": its bytes do not match its checksum");
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
  metadata[kSumKey] = sum_of(checkpoint);
  save_safetensors(folder_ / name, checkpoint.tensors, metadata);

  auto files = files_in(folder_);
  for (std::size_t i = kKept; i < files.size(); ++i) {
    std::error_code none;
    std::filesystem::remove(files[i], none);
  }
}

std::optional<Checkpoint> CheckpointFolder::load_newest() const {
  bool damaged = false;
  for (const auto& path : files_in(folder_)) {
    try {
      auto checkpoint = load(path);
      if (damaged) SVI_WARN("checkpoint", "going on from ", path.string(), " instead");
      return checkpoint;
    } catch (const std::exception& error) {
      SVI_WARN("checkpoint", "passing over a damaged checkpoint: ", error.what());
      damaged = true;
    }
  }
  if (damaged) SVI_WARN("checkpoint", "none in ", folder_.string(), " is whole: beginning anew");
  return std::nullopt;
}

void CheckpointFolder::clear() const {
  for (const auto& path : files_in(folder_)) {
    std::error_code none;
    std::filesystem::remove(path, none);
  }
}

}  // namespace svi
