#include "folders.hpp"

#include <cctype>

#include "models.hpp"
#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"
#include "svi/train/vae_trainer.hpp"

namespace svi {

std::string safe_name(const std::string& name) {
  std::string text = name;
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-' && c != '.')
      c = '_';
  }
  return text;
}

bool trains_codec(const Plan& plan, const Arm& arm) {
  return plan.experiment.kind == ExperimentKind::pretrain &&
         section<VaePretrainerConfig>(arm.document, "vae_training").steps > 0;
}

std::string pool_name(const Plan& plan, const Arm& arm) {
  std::string key;
  for (const auto& name : {"data", "clip", "method", "model", "pool"}) {
    for (const auto& entry : arm.document.find(name)->entries)
      key += cat(name, ".", entry.key, "=", entry.value, "\n");
  }
  if (trains_codec(plan, arm)) key += "own codec\n";
  return "pool-" + sha256_hex(key).substr(0, 12);
}

ModelConfig model_of(const Plan& plan, const Arm& arm) {
  auto model = section<ModelConfig>(arm.document, "model");
  if (plan.experiment.kind == ExperimentKind::pretrain) {
    if (!trains_codec(plan, arm))
      model.vae = std::filesystem::absolute(model_files(model).vae).string();
    model.folder = Folders(plan.folder()).weights().string();
  }
  return model;
}

std::filesystem::path Folders::pool(const Plan& plan, const Arm& arm) const {
  return root_ / "cache" / (pool_name(plan, arm) + ".safetensors");
}

std::filesystem::path Folders::lora(const Arm& arm, std::int64_t seed) const {
  return root_ / "lora" / cat(safe_name(arm.name), "-seed", seed, ".safetensors");
}

std::filesystem::path Folders::extension(const Arm& arm, std::int64_t seed,
                                         const std::string& label) const {
  return root_ / "lora" /
         cat(safe_name(arm.name), "-seed", seed, ".extension-", label, ".safetensors");
}

std::filesystem::path Folders::bank(const Arm& arm, std::int64_t seed) const {
  return root_ / "banks" / cat(safe_name(arm.name), "-seed", seed, ".safetensors");
}

std::filesystem::path Folders::videos(const std::string& arm) const {
  return root_ / "videos" / safe_name(arm);
}

std::filesystem::path Folders::video(const std::string& arm, std::int64_t scene) const {
  return videos(arm) / cat("scene", scene, ".mp4");
}

}  // namespace svi
