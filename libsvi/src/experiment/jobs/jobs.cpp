#include "jobs.hpp"

#include <map>

#include "kinds.hpp"
#include "svi/io/result_file.hpp"

namespace svi {
namespace {

/// Adds jobs and knows their places by name.
class Lister {
 public:
  void add(Job job, const std::shared_ptr<const JobKind>& kind) {
    if (places_.contains(job.name)) return;
    JobSpec spec{job.name, {}, job.cost};
    for (const auto& name : job.after) {
      const auto before = places_.find(name);
      SVI_CHECK(before != places_.end(), "job ", job.name, " waits for ", name,
                ", which is not listed before it");
      spec.after.push_back(before->second);
    }
    places_.emplace(job.name, list_.jobs.size());
    if (list_.kinds.empty() || list_.kinds.back() != kind) list_.kinds.push_back(kind);
    job.kind = kind;
    list_.specs.push_back(std::move(spec));
    list_.jobs.push_back(std::move(job));
  }

  JobList take() { return std::move(list_); }

 private:
  JobList list_;
  std::map<std::string, std::size_t> places_;
};

}  // namespace

std::vector<ResultScale> JobKind::axes(const Plan&, const Registry&) const { return {}; }

bool JobKind::done(const Plan& plan, const Job& job) const {
  return part_exists(plan.folder(), job.name);
}

void JobKind::finish(const RunView&, ResultHeader&) const {}

JobList list_jobs(const Plan& plan) {
  Lister lister;
  for (const auto& kind : job_kinds()) {
    for (auto& job : kind->list(plan)) lister.add(std::move(job), kind);
  }
  return lister.take();
}

Axes run_axes(const Plan& plan, const Registry& registry, const JobList& list) {
  Axes axes;
  std::vector<std::string> arms, labels;
  for (const auto& arm : plan.arms) {
    arms.push_back(arm.name);
    labels.push_back(arm.label);
  }
  axes.add({"arm", std::move(arms), {{"labels", std::move(labels)}}});
  axes.add({"seed", plan.experiment.seeds});
  for (const auto& kind : list.kinds) {
    for (auto& axis : kind->axes(plan, registry)) axes.add(std::move(axis));
  }
  return axes;
}

bool is_done(const Plan& plan, const Job& job) { return job.kind->done(plan, job); }

std::size_t seeds_of(const Plan& plan, const Arm& arm) {
  return arm.trained ? plan.experiment.seeds.size() : 1;
}

std::string training_name(const Plan& plan, std::size_t arm, std::size_t seed) {
  return cat("train-", safe_name(plan.arms[arm].name), "-s", plan.experiment.seeds[seed]);
}

std::vector<std::string> before_films(const Plan& plan, std::size_t arm, std::size_t seed) {
  if (plan.arms[arm].trained) return {training_name(plan, arm, seed)};
  if (plan.experiment.kind == ExperimentKind::pretrain) return {"base"};
  return {};
}

std::int64_t integer(const Document& document, const char* section, const char* key) {
  return std::stoll(
      document.get(section, key).value());  // complete documents hold every key, checked
}

double training_cost(const Document& document, const char* section) {
  return static_cast<double>(integer(document, section, "steps") *
                             integer(document, section, "slots") *
                             integer(document, section, "micro_batch")) *
         0.02;
}

}  // namespace svi
