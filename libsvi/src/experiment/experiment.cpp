#include "svi/experiment/experiment.hpp"

#include <ATen/Parallel.h>

#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>

#include "experiment/jobs/jobs.hpp"
#include "experiment/jobs/models.hpp"
#include "experiment/plan/inputs.hpp"
#include "experiment/plan/preflight.hpp"
#include "experiment/results/results_folder.hpp"
#include "experiment/results/set_metrics.hpp"
#include "experiment/results/summary.hpp"
#include "experiment/watch/progress_file.hpp"
#include "svi/core/clock.hpp"
#include "svi/core/log.hpp"
#include "svi/experiment/provenance.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/result_file.hpp"
#include "svi/io/run_lock.hpp"
#include "svi/parallel/environment.hpp"
#include "svi/parallel/stop.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

/// Runs on rank 0; what it throws is thrown alike on all ranks.
void on_first_rank(const Communicator& world, const std::function<void()>& work) {
  std::string refusal;
  if (world.rank() == 0) {
    try {
      work();
    } catch (const Error& error) {
      refusal = error.what();
    } catch (const fs::filesystem_error& error) {
      refusal = cat(error.path1().string(), ": ", error.code().message());
    }
  }
  refusal = world.broadcast(refusal);
  if (!refusal.empty()) throw ConfigError(refusal);
}

/// Rank 0 keeps others from working on the folder. Collective; throws ConfigError alike on all.
std::optional<RunLock> lock_folder(const Plan& plan, const Communicator& world,
                                   const RunOptions& options) {
  std::optional<RunLock> lock;
  std::string refusal;
  if (world.rank() == 0) {
    RunLockOptions how;
    how.remedy = "choose another name with --set experiment.name=OTHER";
    how.lost = [](const std::string& text) {
      std::cerr << text << ": this run ends" << std::endl;
      Environment::abort(2);
    };
    const fs::path program = options.program.empty() ? "svi-experiment" : options.program;
    try {
      lock.emplace(lock_file_of(plan.folder()), plan.folder(), program.filename().string(),
                   std::move(how));
    } catch (const IoError& error) {
      refusal = error.what();
    }
  }
  refusal = world.broadcast(refusal);
  if (!refusal.empty()) throw ConfigError(refusal);
  return lock;
}

ResultHeader header_of(const Plan& plan, const Axes& axes,
                       const std::vector<std::pair<std::string, std::string>>& facts) {
  ResultHeader header;
  header.name = plan.experiment.name;
  header.attributes = {{"question", plan.experiment.question}};
  header.texts = {{"original_ini", plan.original.text()}, {"resolved_ini", plan.resolved.text()}};
  if (!plan.missing.empty()) header.texts[kMissing] = join(plan.missing, "\n") + "\n";
  for (const auto& [name, value] : facts) header.provenance[name] = value;
  header.scales = axes.all();
  return header;
}

/// What running all jobs takes; borrowed.
struct Work {
  const Plan& plan;
  const Registry& registry;
  const Communicator& world;
  const JobList& list;
  at::Device device;
  const Axes& axes;
  ProgressFile* progress;  // on rank 0
  StopRequest stop;
};

/// Returns whether all jobs are done, rather than stopped by a signal.
bool run_all(const Work& work) {
  const Stopwatch watch;
  FeatureStore features;
  ProgressOptions shown;
  if (work.progress != nullptr)
    shown.observe = [&](const QueueStatus& status) { work.progress->jobs(status); };
  bool done = false;
  try {
    done = run_jobs(
        work.world, static_cast<int>(work.plan.run.ranks_per_job), work.list.specs,
        [&](std::size_t index, const Communicator& team, JobProgress& progress) {
          const auto& job = work.list.jobs[index];
          if (is_done(work.plan, job)) return;
          job.kind->run({work.plan, work.registry, job, team, progress, work.device, work.axes,
                         work.stop, features});
        },
        shown, &work.stop);
  } catch (const std::exception& error) {
    // In a world of one rank; with more, all are ended at once, and the heartbeat stops.
    if (work.progress != nullptr) work.progress->state("failed", error.what());
    throw;
  }
  if (work.progress == nullptr) return done;
  if (done) SVI_INFO("experiment", "all jobs took ", watch.seconds(), " s");
  const auto signal = stop_signal();
  const auto by = signal.empty() ? "by a signal to another rank" : "by " + signal;
  if (done) {
    work.progress->state("merging");
  } else {
    work.progress->state("stopped", by);
    std::cout << work.plan.folder() << ": stopped " << by
              << "; the same command with --resume goes on" << std::endl;
  }
  return done;
}

}  // namespace

RunEnd run_experiment(const Plan& given, const Registry& registry, const Communicator& world,
                      const RunOptions& options) {
  at::set_num_threads(static_cast<int>(given.run.threads));
  const Stopwatch watch;
  const auto lock = lock_folder(given, world, options);
  const auto plan = pin_inputs(given, registry, world);
  const ResultsFolder results(plan);
  on_first_rank(world, [&] { results.check(options); });
  const auto device = choose_device(plan.run.device);
  const Folders folders(plan.folder());
  const auto target = folders.root() / (plan.experiment.name + ".h5");
  const auto list = list_jobs(plan);
  // What is there is touched last, when nothing can be wrong any more that can be known so early.
  on_first_rank(world, [&] { check_ahead(plan, registry); });
  const auto axes = run_axes(plan, registry, list);
  on_first_rank(world, [&] { results.begin(options); });

  bool complete = fs::exists(target);
  for (const auto& job : list.jobs) complete = complete && is_done(plan, job);
  complete = world.broadcast(complete ? "1" : "0") == "1";
  std::optional<ProgressFile> progress;
  if (!complete) {
    if (world.rank() == 0) {
      SVI_INFO("experiment", plan.experiment.name, ": ", list.jobs.size(), " jobs on ",
               world.size(), " rank(s), ", device.str(), "; results in ", folders.root().string());
      progress.emplace(plan, list, world.size());
      for (const auto& line : plan.missing) SVI_WARN("metrics", line);
    }
    probe_results(folders.root(), world);
    const auto facts = provenance(plan, registry, world, device.str());
    const bool done = run_all({plan, registry, world, list, device, axes,
                               progress ? &*progress : nullptr, StopRequest(world)});
    if (!done) return RunEnd::stopped;
    if (world.rank() == 0) {
      auto header = header_of(plan, axes, facts);
      for (const auto& kind : list.kinds) kind->finish({plan, registry, list, axes}, header);
      write_result_header(folders.root(), header);
    }
    world.barrier();
    merge_parts(folders.root(), target, world);
  }
  if (world.rank() == 0) {
    const auto summary = summarise(target.string(), plan);
    write_file(folders.root() / "summary.json", summary_json(summary));
    if (progress) progress->state("complete");
    if (!options.silent) {
      std::cout << summary_text(summary) << "\n"
                << target.string() << "  (" << human_duration(watch.seconds()) << ")\n";
    }
  }
  world.barrier();
  return RunEnd::complete;
}

}  // namespace svi
