#include "preflight.hpp"

#include <filesystem>
#include <set>

#include "experiment/jobs/jobs.hpp"
#include "experiment/jobs/models.hpp"
#include "svi/core/check.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/io/output_path.hpp"
#include "svi/io/weight_files.hpp"
#include "svi/method/method.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/key_maps.hpp"

namespace svi {
namespace {

/// Sizes of codec and transformer, from headers; throws if tensors are missing or left over, or an
/// adapter does not fit.
/// Returns the transformer's sizes.
WanDitConfig check_model(const ModelConfig& model, const ClipConfig& clip) {
  const auto files = model_files(model);
  const auto dit = dit_config(model);
  if (!model.lora.empty()) dit_opener(model, at::kCPU);  // refuses adapters that do not fit
  const auto codec = files.vae.string();
  const auto weights = to_official(open_weights(codec), WeightKind::vae, codec);
  try {
    check_clip(clip, WanVae::infer(weights), dit);
  } catch (const IoError& error) {
    raise<IoError>(codec, ": ", error.what());
  }
  if (dit.image_dim != 0 && files.image_encoder.empty()) {
    raise<IoError>("[model] folder = ", model.folder,
                   ": the transformer has an image branch, but there is no image encoder");
  }
  return dit;
}

/// Builds the arm's extensions for the transformer, reads their files, looks for the tracks that
/// they read in the first scene's, as long as a film, and for the parts that its method tells.
void check_extensions(const Arm& arm, const Registry& registry, const WanDitConfig& sizes,
                      const Scene& scene) {
  WanDit dit(sizes, at::TensorOptions(at::kMeta));
  for (const auto& [label, extension] :
       arm_extensions(registry, arm.document, dit, 0, at::Device(at::kCPU))) {
    dit.attach(extension);
  }
  if (!dit.extensions().empty() && section<EvaluationConfig>(arm.document, "evaluation").split) {
    raise<ConfigError>("[arm.", arm.name, "]: [evaluation] split = on, but [", kExtensionPrefix,
                       dit.extensions().front()->label(),
                       "] needs all tokens of a clip on one rank: leave one of the two out");
  }
  const auto method = registry.make<Method>(arm.document, "");
  try {
    method->check_parts(dit.reads());
  } catch (const ConfigError& error) {
    raise<ConfigError>("[arm.", arm.name, "]: ", error.what());
  }
  const auto frames = method->frames(section<ClipConfig>(arm.document, "clip"),
                                     section<RolloutConfig>(arm.document, "rollout").clips);
  const auto owner = cat("[arm.", arm.name, "]: scene ", scene.name);
  scene.tracks.only(dit.track_parts(), owner).require(frames);
}

}  // namespace

void check_names(const Plan& plan) {
  const auto longest = longest_name(plan.folder());
  const auto check = [&](const std::string& of, const std::string& file) {
    if (file.size() <= longest) return;
    raise<ConfigError>(plan.original.file(), ": the name of ", of, " is too long: its file ", file,
                       " has ", file.size(), " bytes, and ", longest, " fit; shorten it by ",
                       file.size() - longest);
  };
  check("[experiment] name = " + plan.experiment.name, plan.experiment.name + ".h5");
  const Folders folders(plan.folder());
  for (const auto& job : list_jobs(plan).jobs) {
    const auto& arm = plan.arms[job.arm];
    const auto of = "[arm." + arm.name + "]" +
                    (job.diagnostic.empty() ? "" : " with [diagnostic." + job.diagnostic + "]");
    check(of, job.name + ".h5");
    const auto seed = plan.experiment.seeds[job.seed];
    check(of, folders.lora(arm, seed).filename().string());
    for (const auto& part : arm.document.sections()) {
      if (!part.name.starts_with(kExtensionPrefix)) continue;
      const auto label = part.name.substr(kExtensionPrefix.size());
      check("[" + part.name + "]", folders.extension(arm, seed, label).filename().string());
    }
  }
}

void check_ahead(const Plan& plan, const Registry& registry) {
  std::set<std::string> seen;  // settings that were looked at: arms mostly share them
  for (const auto& arm : plan.arms) {
    std::string key;
    for (const auto& part : arm.document.sections()) {
      const auto& name = part.name;
      const bool looked_at = name == "model" || name == "clip" || name == "data" ||
                             name == "evaluation" || name.starts_with(kExtensionPrefix);
      for (const auto& entry : part.entries)
        if (looked_at) key += cat(name, ".", entry.key, "=", entry.value, "\n");
    }
    if (!seen.insert(key).second) continue;
    const auto clip = section<ClipConfig>(arm.document, "clip");
    if (plan.experiment.kind == ExperimentKind::measure) continue;
    const auto evaluation = section<EvaluationConfig>(arm.document, "evaluation");
    const bool pretrain = plan.experiment.kind == ExperimentKind::pretrain;
    const auto sizes = plan.experiment.kind == ExperimentKind::ablation
                           ? check_model(section<ModelConfig>(arm.document, "model"), clip)
                           : section<WanDitConfig>(arm.document, "dit");
    const auto scene =
        registry.make<ClipSource>(arm.document, "")->scene(evaluation.first_scene, clip);
    if (pretrain || plan.experiment.kind == ExperimentKind::ablation)
      check_extensions(arm, registry, sizes, scene);
  }
}

}  // namespace svi
