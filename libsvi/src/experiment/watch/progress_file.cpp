#include "progress_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "svi/core/clock.hpp"
#include "svi/core/host.hpp"
#include "svi/core/log.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

using Json = nlohmann::ordered_json;

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Negative numbers stand for "not known".
template <class Number>
Json number_or_null(Number value) {
  return value < 0 ? Json() : Json(value);
}

const char* state_name(JobStatus::State state) {
  switch (state) {
    case JobStatus::State::waiting:
      return "waiting";
    case JobStatus::State::running:
      return "running";
    case JobStatus::State::done:
      return "done";
  }
  return "";
}

Json job_json(const Plan& plan, const Job& job, const JobStatus& status) {
  const bool done = status.state == JobStatus::State::done;
  const bool of_seed = job.kind->of_arm_and_seed();
  Json json;
  json["name"] = status.name;
  json["kind"] = job.kind->name();
  json["arm"] = of_seed ? Json(plan.arms[job.arm].name) : Json();
  json["seed"] = of_seed ? Json(plan.experiment.seeds[job.seed]) : Json();
  json["state"] = state_name(status.state);
  json["first_rank"] = number_or_null(status.first_rank);
  json["last_rank"] = number_or_null(status.last_rank);
  json["started_seconds"] = number_or_null(status.started);
  json["ended_seconds"] = number_or_null(status.ended);
  json["steps"] = status.steps;
  json["total"] = status.total;
  const double share =
      status.total > 0 ? static_cast<double>(status.steps) / static_cast<double>(status.total) : 0;
  json["fraction"] = done ? 1.0 : std::min(share, 1.0);
  json["remaining_seconds"] = number_or_null(status.remaining_seconds);
  json["note"] = status.note;
  return json;
}

}  // namespace

ProgressFile::ProgressFile(const Plan& plan, const JobList& list, int ranks)
    : plan_(plan),
      list_(list),
      ranks_(ranks),
      path_(std::filesystem::path(plan.folder()) / "progress.json"),
      started_(unix_seconds()) {
  for (const auto& spec : list.specs) status_.jobs.push_back({spec.name});
  write();
}

void ProgressFile::jobs(const QueueStatus& status) {
  status_ = status;
  write();
}

void ProgressFile::state(const std::string& state, const std::string& message) {
  state_ = state;
  message_ = message;
  if (state == "stopped") status_.remaining_seconds = -1;
  if (state == "merging" || state == "complete") status_.remaining_seconds = 0;
  write();
}

void ProgressFile::write() {
  if (refused_) return;
  const double now = unix_seconds();
  Json json;
  json["format"] = 1;
  json["experiment"] = plan_.experiment.name;
  json["size"] = plan_.experiment.size;
  json["question"] = plan_.experiment.question;
  json["state"] = state_;
  json["message"] = message_;
  json["host"] = host_name();
  json["pid"] = getpid();
  json["ranks"] = ranks_;
  json["started_unix"] = started_;
  json["heartbeat_unix"] = now;
  json["pace_seconds"] = pace_;
  json["seconds"] = now - started_;
  json["remaining_seconds"] = number_or_null(status_.remaining_seconds);
  json["jobs_done"] =
      std::count_if(status_.jobs.begin(), status_.jobs.end(),
                    [](const JobStatus& job) { return job.state == JobStatus::State::done; });
  json["jobs_total"] = status_.jobs.size();
  json["jobs"] = Json::array();
  for (std::size_t i = 0; i < status_.jobs.size(); ++i)
    json["jobs"].push_back(job_json(plan_, list_.jobs[i], status_.jobs[i]));
  try {
    const Stopwatch watch;
    // Notes are texts of jobs, plugins' among them: whatever is no UTF-8 is replaced.
    write_file(path_, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
    pace_ = std::max(1.0, 20 * watch.seconds());
  } catch (const std::exception& error) {
    refused_ = true;
    SVI_WARN("progress", error.what(), "; the run goes on, but cannot be watched");
  }
}

}  // namespace svi
