#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"
#include "svi/experiment/plan.hpp"
#include "svi/metric/feature_store.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/parallel/job_queue.hpp"

namespace svi {

/// What a job does.
enum class Stage {
  train_vae,     // pretraining only: the codec
  encode,        // a pool of training clips
  train_base,    // pretraining only: the transformer
  train_critic,  // critic experiments only
  train_lora,    // one arm, one seed
  evaluate,      // one arm, one seed, some scenes
  diagnose,      // one arm, one seed, one diagnostic
};

/// One piece of an experiment, with everything that tells it apart.
struct Job {
  Stage stage;
  std::string name;      // of its part file and checkpoints
  std::size_t arm = 0;   // index into Plan::arms
  std::size_t seed = 0;  // index into ExperimentConfig::seeds
  std::int64_t scene_offset =
      0;  // evaluate: first of its scenes, counted from evaluation.first_scene
  std::int64_t scene_count = 0;
  std::string diagnostic = {};  // diagnose: the NAME of [diagnostic.NAME]
};

/// All jobs of an experiment in the order of their dependencies.
struct JobList {
  std::vector<Job> jobs;
  std::vector<JobSpec> specs;  // same order
};
JobList list_jobs(const Plan& plan);

/// Where an experiment keeps things. All below <results>/<name>.
class Folders {
 public:
  explicit Folders(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path pool(const Plan& plan, const Arm& arm) const;
  std::filesystem::path lora(const Arm& arm, std::int64_t seed) const;
  std::filesystem::path bank(const Arm& arm, std::int64_t seed) const;
  std::filesystem::path weights() const { return root_ / "weights"; }
  std::filesystem::path checkpoints(const Job& job) const {
    return root_ / "checkpoints" / job.name;
  }
  std::filesystem::path video(const std::string& arm, std::int64_t scene) const;

 private:
  std::filesystem::path root_;
};

/// The name of the clip pool an arm trains on: arms whose data, clip shape, variant and weights
/// agree share one.
std::string pool_name(const Plan& plan, const Arm& arm);

/// Whether this experiment pretrains the codec, too, rather than keep that of [model].
bool trains_codec(const Plan& plan, const Arm& arm);

/// The weights an arm starts from: those named, or those this experiment pretrains.
ModelConfig model_of(const Plan& plan, const Arm& arm);

/// True if the job's results are complete on disk.
bool is_done(const Plan& plan, const Job& job);

/// Sizes that all parts of a result share.
struct ResultShape {
  std::int64_t arms, seeds, scenes, clips, frames, steps, vae_steps, critic_steps;
};
ResultShape result_shape(const Plan& plan, const Registry& registry);

/// What a job works with.
struct JobContext {
  const Plan& plan;
  const Registry& registry;
  const Job& job;
  const Communicator& team;
  JobProgress& progress;
  at::Device device;
  ResultShape shape;
  const StopRequest& stop;
  FeatureStore& features;  // of this rank, for all jobs
};

void run_encode(const JobContext& context);
void run_train_lora(const JobContext& context);
void run_train_vae(const JobContext& context);
void run_train_base(const JobContext& context);
void run_train_critic(const JobContext& context);
void run_evaluate(const JobContext& context);
void run_diagnose(const JobContext& context);

/// The transformer that makes the job's films: with the arm's adapter merged in, where it is
/// trained, so that generation costs nothing extra.
std::unique_ptr<WanDit> load_merged(const JobContext& context);

}  // namespace svi
