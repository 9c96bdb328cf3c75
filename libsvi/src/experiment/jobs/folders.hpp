#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "svi/experiment/plan.hpp"

namespace svi {

/// A name that every file system takes: what is no letter, digit, '_', '-' or '.' becomes '_'.
std::string safe_name(const std::string& name);

/// Where an experiment keeps things. All below <results>/<name>.
class Folders {
 public:
  explicit Folders(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path pool(const Plan& plan, const Arm& arm) const;
  std::filesystem::path lora(const Arm& arm, std::int64_t seed) const;
  /// Of the extension [extension.LABEL] that the arm trained beside its adapter.
  std::filesystem::path extension(const Arm& arm, std::int64_t seed,
                                  const std::string& label) const;
  std::filesystem::path bank(const Arm& arm, std::int64_t seed) const;
  std::filesystem::path weights() const { return root_ / "weights"; }
  std::filesystem::path checkpoints(const std::string& job) const {
    return root_ / "checkpoints" / job;
  }
  std::filesystem::path videos(const std::string& arm) const;  // films of an arm
  std::filesystem::path video(const std::string& arm, std::int64_t scene) const;

 private:
  std::filesystem::path root_;
};

/// The name of the clip pool an arm trains on, and of the job that encodes it: arms whose data,
/// clip shape, method and weights agree share one.
std::string pool_name(const Plan& plan, const Arm& arm);

/// Whether this experiment pretrains the codec, too, rather than keep that of [model].
bool trains_codec(const Plan& plan, const Arm& arm);

/// The weights an arm starts from: those named, or those this experiment pretrains.
ModelConfig model_of(const Plan& plan, const Arm& arm);

}  // namespace svi
