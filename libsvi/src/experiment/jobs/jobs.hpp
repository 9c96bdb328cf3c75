#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "axes.hpp"
#include "folders.hpp"
#include "svi/core/check.hpp"
#include "svi/experiment/plan.hpp"
#include "svi/metric/feature_store.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/parallel/job_queue.hpp"

namespace svi {

class JobKind;

/// One piece of an experiment, with everything that tells it apart.
struct Job {
  std::string name;                     // of its part file and checkpoints; unique
  std::size_t arm = 0;                  // index into Plan::arms
  std::size_t seed = 0;                 // index into ExperimentConfig::seeds
  std::vector<std::string> after = {};  // names of jobs that must be done before
  double cost = 1;                      // seconds or so on one rank: long chains start first
  std::int64_t scene_offset = 0;        // first of its scenes, counted from the run's first one
  std::int64_t scene_count = 0;         // how many they are
  std::string diagnostic = {};          // the NAME of [diagnostic.NAME]
  std::shared_ptr<const JobKind> kind = {};  // set by list_jobs
};

/// What a job works with.
struct JobContext {
  const Plan& plan;
  const Registry& registry;
  const Job& job;
  const Communicator& team;
  JobProgress& progress;
  at::Device device;
  const Axes& axes;
  const StopRequest& stop;
  FeatureStore& features;  // of this rank, for all jobs
};

struct JobList;

/// What the end of a run is made of.
struct RunView {
  const Plan& plan;
  const Registry& registry;
  const JobList& list;
  const Axes& axes;
};

/// A kind of job: which jobs of it an experiment has, what one does, and the axes of what it
/// writes. A new kind is a file with a class like this and a line in job_kinds().
class JobKind {
 public:
  virtual ~JobKind() = default;

  /// What progress.json calls it: "train".
  virtual const char* name() const = 0;
  /// Whether its jobs belong to one arm and one seed each, which progress.json then names.
  virtual bool of_arm_and_seed() const { return false; }
  /// The jobs of an experiment; none if it has no use for them. Of several with one name, the first
  /// counts. `after` names jobs of kinds that stand before this one in job_kinds(), or of its own.
  virtual std::vector<Job> list(const Plan& plan) const = 0;
  /// The axes of what its jobs write, beside arm and seed; asked only if there are such jobs.
  virtual std::vector<ResultScale> axes(const Plan& plan, const Registry& registry) const;
  /// Whether a job's results are complete on disk: its part, if not overridden.
  virtual bool done(const Plan& plan, const Job& job) const;
  /// Does the job. Collective over its team; throws JobStopped after it has saved what it goes on
  /// from.
  virtual void run(const JobContext& context) const = 0;
  /// Called on one rank when all jobs of the run are done, if there were such jobs: writes what
  /// only all of them together give, as a part, or adds to the header.
  virtual void finish(const RunView& run, ResultHeader& header) const;
};

/// All jobs of an experiment in the order of their dependencies.
struct JobList {
  std::vector<Job> jobs;
  std::vector<JobSpec> specs;                         // same order
  std::vector<std::shared_ptr<const JobKind>> kinds;  // that have jobs here
};
SVI_EXPORT JobList list_jobs(const Plan& plan);

/// The axes of a run's results: arms, seeds and what its kinds of jobs have.
SVI_EXPORT Axes run_axes(const Plan& plan, const Registry& registry, const JobList& list);

/// True if the job's results are complete on disk.
bool is_done(const Plan& plan, const Job& job);

/// Seeds that differ for an arm: without training all would be alike, so it has one.
std::size_t seeds_of(const Plan& plan, const Arm& arm);
/// The name of the job that trains an arm's adapter.
std::string training_name(const Plan& plan, std::size_t arm, std::size_t seed);
/// What an arm's films wait for.
std::vector<std::string> before_films(const Plan& plan, std::size_t arm, std::size_t seed);

/// A whole number of a complete document.
std::int64_t integer(const Document& document, const char* section, const char* key);
/// What a training of that section takes.
double training_cost(const Document& document, const char* section);

/// The transformer that makes the job's films: with the arm's adapter merged in, where it is
/// trained, so that generation costs nothing extra.
std::unique_ptr<WanDit> load_merged(const JobContext& context);

/// The extensions of an arm, built for the model with the values of their files, or fresh by the
/// seed, on the device. Throws IoError naming a file that does not fit.
LabelledExtensions arm_extensions(const Registry& registry, const Document& document,
                                  const WanDit& dit, std::uint64_t seed, const at::Device& device);

}  // namespace svi
