#include "job_schedule.hpp"

#include <algorithm>

#include "svi/core/check.hpp"

namespace svi {

JobSchedule::JobSchedule(const std::vector<JobSpec>& specs) {
  for (const auto& spec : specs) jobs_.push_back({.spec = spec, .missing = spec.after.size()});
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    for (const auto before : jobs_[i].spec.after) {
      SVI_CHECK(before < jobs_.size(), "job ", jobs_[i].spec.name, " waits for job ", before,
                " of ", jobs_.size());
      jobs_[before].successors.push_back(i);
    }
  }
  // Chains are summed up from the ends: a job's turn comes when all of its successors had theirs.
  std::vector<std::size_t> open(jobs_.size()), ready;
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    open[i] = jobs_[i].successors.size();
    if (open[i] == 0) ready.push_back(i);
  }
  std::size_t seen = 0;
  while (!ready.empty()) {
    auto& job = jobs_[ready.back()];
    ready.pop_back();
    ++seen;
    for (const auto next : job.successors) job.chain = std::max(job.chain, jobs_[next].chain);
    job.chain += job.spec.cost;
    for (const auto before : job.spec.after) {
      if (--open[before] == 0) ready.push_back(before);
    }
  }
  SVI_CHECK(seen == jobs_.size(), "jobs wait for each other in a circle");
}

std::optional<std::size_t> JobSchedule::start(int team) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    const auto& job = jobs_[i];
    if (job.state != State::waiting || job.missing > 0) continue;
    if (!best || job.chain > jobs_[*best].chain) best = i;
  }
  if (!best) return best;
  auto& job = jobs_[*best];
  job.state = State::running;
  job.team = team;
  job.started = seconds();
  return best;
}

void JobSchedule::finish(std::size_t index) {
  auto& job = jobs_.at(index);
  SVI_CHECK(job.state == State::running, "job ", job.spec.name,
            " ended without having been started");
  job.state = State::done;
  job.ended = seconds();
  ++done_;
  for (const auto next : job.successors) --jobs_[next].missing;
}

void JobSchedule::give_up(std::size_t index) {
  auto& job = jobs_.at(index);
  SVI_CHECK(job.state == State::running, "job ", job.spec.name,
            " was stopped without having been started");
  job.state = State::waiting;
  job.team = -1;
}

void JobSchedule::progress(std::size_t index, std::int64_t steps, std::int64_t total,
                           std::string note) {
  auto& job = jobs_.at(index);
  job.steps = steps;
  job.total = total;
  job.note = std::move(note);
}

QueueStatus JobSchedule::status(int ranks_per_job, int ranks) const {
  QueueStatus status{seconds(), all_done() ? 0 : remaining_seconds()};
  for (const auto& job : jobs_) {
    JobStatus each{job.spec.name};
    each.steps = job.steps;
    each.total = job.total;
    each.note = job.note;
    if (job.state != State::waiting) {
      each.state = JobStatus::State::running;
      each.first_rank = job.team * ranks_per_job;
      each.last_rank = std::min(each.first_rank + ranks_per_job, ranks) - 1;
      each.started = job.started;
      each.remaining_seconds = remaining_seconds(job);
    }
    if (job.state == State::done) {
      each.state = JobStatus::State::done;
      each.ended = job.ended;
      each.remaining_seconds = 0;
    }
    status.jobs.push_back(std::move(each));
  }
  return status;
}

double JobSchedule::remaining_seconds(const Job& job) const {
  if (job.steps <= 0 || job.total <= 0) return -1;
  const auto left = static_cast<double>(std::max<std::int64_t>(job.total - job.steps, 0));
  return (seconds() - job.started) * left / static_cast<double>(job.steps);
}

double JobSchedule::remaining_seconds() const {
  double all = 0, done = 0;
  for (const auto& job : jobs_) {
    all += job.spec.cost;
    if (job.state == State::done) done += job.spec.cost;
    if (job.state == State::running && job.total > 0) {
      done += job.spec.cost *
              std::min(1.0, static_cast<double>(job.steps) / static_cast<double>(job.total));
    }
  }
  if (done <= 0) return -1;
  return seconds() * (all - done) / done;
}

}  // namespace svi
