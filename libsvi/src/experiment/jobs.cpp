#include "jobs.hpp"

#include <map>

#include "models.hpp"
#include "sections.hpp"
#include "svi/evaluate/rollout.hpp"
#include "svi/io/result_file.hpp"
#include "svi/train/trainer.hpp"
#include "svi/train/vae_trainer.hpp"
#include "svi/variant/variant.hpp"

namespace svi {
namespace {

constexpr double kDiagnosticCost = 80;  // as of some 400 clips: what the defaults generate

std::int64_t integer(const Document& document, const char* section, const char* key) {
  return std::stoll(
      document.get(section, key).value());  // complete documents hold every key, checked
}

std::string safe(const std::string& name) {
  std::string text = name;
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-' && c != '.')
      c = '_';
  }
  return text;
}

/// Adds jobs and knows their positions by name.
class Lister {
 public:
  explicit Lister(const Plan& plan) : plan_(plan) {}

  std::size_t add(Job job, std::vector<std::size_t> after, double cost) {
    const auto known = places_.find(job.name);
    if (known != places_.end()) return known->second;
    places_.emplace(job.name, list_.jobs.size());
    list_.specs.push_back({job.name, std::move(after), cost});
    list_.jobs.push_back(std::move(job));
    return list_.jobs.size() - 1;
  }

  void evaluations(std::size_t arm, std::size_t seed, const std::vector<std::size_t>& after) {
    const auto& document = plan_.arms[arm].document;
    const auto config = section<EvaluationConfig>(document, "evaluation");
    const auto clips = static_cast<double>(integer(document, "rollout", "clips"));
    for (std::int64_t first = 0; first < config.scenes; first += config.scene_batch) {
      const auto count = std::min(config.scene_batch, config.scenes - first);
      Job job{
          Stage::evaluate,
          cat("eval-", safe(plan_.arms[arm].name), "-s", plan_.experiment.seeds[seed], "-", first),
          arm,
          seed,
          first,
          count};
      add(std::move(job), after, clips * static_cast<double>(count) * 0.2);
    }
  }

  void diagnostics(std::size_t arm, std::size_t seed, const std::vector<std::size_t>& after) {
    for (const auto& name : names_below(plan_.arms[arm].document, kDiagnosticPrefix)) {
      Job job{Stage::diagnose,
              cat("diagnose-", safe(plan_.arms[arm].name), "-s", plan_.experiment.seeds[seed], "-",
                  safe(name)),
              arm,
              seed,
              0,
              0,
              name};
      add(std::move(job), after, kDiagnosticCost);
    }
  }

  JobList take() { return std::move(list_); }

 private:
  const Plan& plan_;
  JobList list_;
  std::map<std::string, std::size_t> places_;
};

double training_cost(const Document& document, const char* section) {
  return static_cast<double>(integer(document, section, "steps") *
                             integer(document, section, "slots") *
                             integer(document, section, "micro_batch")) *
         0.02;
}

}  // namespace

bool trains_codec(const Plan& plan, const Arm& arm) {
  return plan.experiment.kind == ExperimentKind::pretrain &&
         integer(arm.document, "vae_training", "steps") > 0;
}

std::string pool_name(const Plan& plan, const Arm& arm) {
  std::string key;
  for (const auto& name : {"data", "clip", "variant", "model", "pool"}) {
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

JobList list_jobs(const Plan& plan) {
  Lister lister(plan);
  if (plan.experiment.kind == ExperimentKind::critic) {
    for (std::size_t a = 0; a < plan.arms.size(); ++a) {
      const auto& arm = plan.arms[a];
      lister.add({Stage::train_critic, "critic-" + safe(arm.name), a}, {},
                 static_cast<double>(integer(arm.document, "critic_training", "steps") *
                                     integer(arm.document, "critic_training", "batch")) *
                     0.002);
    }
    return lister.take();
  }
  const bool pretrain = plan.experiment.kind == ExperimentKind::pretrain;
  for (std::size_t a = 0; a < plan.arms.size(); ++a) {
    const auto& arm = plan.arms[a];
    std::vector<std::size_t> ready;
    if (trains_codec(plan, arm)) {
      ready = {lister.add({Stage::train_vae, "vae", a}, {},
                          static_cast<double>(integer(arm.document, "vae_training", "steps") *
                                              integer(arm.document, "vae_training", "batch")) *
                              0.05)};
    }
    if (pretrain || arm.trained) {
      ready = {lister.add({Stage::encode, pool_name(plan, arm), a}, ready,
                          static_cast<double>(integer(arm.document, "pool", "clips")) * 0.02)};
    }
    if (pretrain)
      ready = {lister.add({Stage::train_base, "base", a}, ready,
                          training_cost(arm.document, "pretraining"))};
    // Without training all seeds would be alike: an untrained arm is rolled out once.
    const auto seeds = arm.trained ? plan.experiment.seeds.size() : 1;
    for (std::size_t s = 0; s < seeds; ++s) {
      auto after = ready;
      if (arm.trained) {
        const auto name = cat("train-", safe(arm.name), "-s", plan.experiment.seeds[s]);
        after = {lister.add({Stage::train_lora, name, a, s}, ready,
                            training_cost(arm.document, "training"))};
      }
      lister.evaluations(a, s, after);
      lister.diagnostics(a, s, after);
    }
  }
  return lister.take();
}

std::filesystem::path Folders::pool(const Plan& plan, const Arm& arm) const {
  return root_ / "cache" / (pool_name(plan, arm) + ".safetensors");
}

std::filesystem::path Folders::lora(const Arm& arm, std::int64_t seed) const {
  return root_ / "lora" / cat(safe(arm.name), "-seed", seed, ".safetensors");
}

std::filesystem::path Folders::bank(const Arm& arm, std::int64_t seed) const {
  return root_ / "banks" / cat(safe(arm.name), "-seed", seed, ".safetensors");
}

std::filesystem::path Folders::video(const std::string& arm, std::int64_t scene) const {
  return root_ / "videos" / safe(arm) / cat("scene", scene, ".mp4");
}

bool is_done(const Plan& plan, const Job& job) {
  const Folders folders(plan.folder());
  const auto& arm = plan.arms[job.arm];
  switch (job.stage) {
    case Stage::encode:
      return std::filesystem::exists(folders.pool(plan, arm));
    case Stage::train_vae:
    case Stage::train_base:
    case Stage::train_critic:
    case Stage::train_lora:
    case Stage::evaluate:
    case Stage::diagnose:
      return part_exists(folders.root(), job.name);
  }
  return false;
}

ResultShape result_shape(const Plan& plan, const Registry& registry) {
  ResultShape shape{static_cast<std::int64_t>(plan.arms.size()),
                    static_cast<std::int64_t>(plan.experiment.seeds.size()),
                    0,
                    0,
                    0,
                    0,
                    0,
                    0};
  if (plan.experiment.kind == ExperimentKind::critic) {
    for (const auto& arm : plan.arms) {
      shape.critic_steps =
          std::max(shape.critic_steps, integer(arm.document, "critic_training", "steps"));
    }
    return shape;  // nothing is rolled out
  }
  const bool pretrain = plan.experiment.kind == ExperimentKind::pretrain;
  for (const auto& arm : plan.arms) {
    const auto& document = arm.document;
    const auto clips = integer(document, "rollout", "clips");
    const auto motion = registry.make<Variant>(document, "")->plan(1, 1).motion_frames;
    const auto frames = integer(document, "clip", "frames");
    shape.scenes = std::max(shape.scenes, integer(document, "evaluation", "scenes"));
    shape.clips = std::max(shape.clips, clips);
    shape.frames = std::max(shape.frames, film_frames(clips, frames, motion));
    shape.steps = std::max(shape.steps, integer(document, "training", "steps"));
    if (pretrain) {
      shape.steps = std::max(shape.steps, integer(document, "pretraining", "steps"));
      shape.vae_steps = std::max(shape.vae_steps, integer(document, "vae_training", "steps"));
    }
  }
  return shape;
}

}  // namespace svi
