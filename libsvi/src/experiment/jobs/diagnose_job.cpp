#include <ATen/ATen.h>

#include "experiment/plan/sections.hpp"
#include "kinds.hpp"
#include "models.hpp"
#include "stoppable_model.hpp"
#include "svi/diagnose/diagnostic.hpp"
#include "svi/io/result_file.hpp"

namespace svi {
namespace {

/// Every dimension of a diagnostic's own but its axes is a mere label; those of the run have other
/// lengths.
void check_dimensions(const DiagnosticReport& report, const Axes& axes, const std::string& name) {
  for (const auto& result : report.results) {
    for (const auto& dimension : result.dimensions) {
      const bool of_the_run = axes.contains(dimension);
      const bool own = std::any_of(report.axes.begin(), report.axes.end(),
                                   [&](const ResultScale& axis) { return axis.name == dimension; });
      SVI_CHECK(own || !of_the_run, "diagnostic ", name, ": ", result.name, " has the dimension ",
                dimension, ", which is the run's; give it an axis of its own, or another name");
    }
  }
}

void write_report(const JobContext& context, const DiagnosticReport& report) {
  PartWriter part(Folders(context.plan.folder()).root(), context.job.name);
  for (const auto& result : report.results) {
    ResultPlace place{
        "/diagnostic/" + context.job.diagnostic + "/" + result.name,
        {static_cast<std::int64_t>(context.job.arm), static_cast<std::int64_t>(context.job.seed)},
        context.axes.lengths({"arm", "seed"}),
        {"arm", "seed"},
        {{"unit", result.unit}, {"meaning", result.meaning}}};
    for (std::size_t d = 0; d < result.dimensions.size(); ++d) {
      const auto& dimension = result.dimensions[d];
      place.start.push_back(0);
      place.shape.push_back(result.values.size(static_cast<std::int64_t>(d)));
      place.dimensions.push_back(dimension);
      for (const auto& axis : report.axes) {
        if (axis.name == dimension) place.scales.push_back(axis);
      }
    }
    part.add(place, result.values);
  }
  part.commit();
}

constexpr double kDiagnosticCost = 80;  // as of some 400 clips: what the defaults generate

class DiagnoseJobs final : public JobKind {
 public:
  const char* name() const override { return "diagnose"; }

  std::vector<Job> list(const Plan& plan) const override {
    std::vector<Job> jobs;
    if (!makes_films(plan.experiment.kind)) return jobs;
    for (std::size_t a = 0; a < plan.arms.size(); ++a) {
      const auto& arm = plan.arms[a];
      for (std::size_t s = 0; s < seeds_of(plan, arm); ++s) {
        for (const auto& diagnostic : names_below(arm.document, kDiagnosticPrefix)) {
          jobs.push_back({.name = cat("diagnose-", safe_name(arm.name), "-s",
                                      plan.experiment.seeds[s], "-", safe_name(diagnostic)),
                          .arm = a,
                          .seed = s,
                          .after = before_films(plan, a, s),
                          .cost = kDiagnosticCost,
                          .diagnostic = diagnostic});
        }
      }
    }
    return jobs;
  }

  void run(const JobContext& context) const override;
};

void DiagnoseJobs::run(const JobContext& context) const {
  if (context.team.rank() != 0) return;  // one model, looked into once
  const auto& arm = context.plan.arms[context.job.arm];
  const auto& document = arm.document;
  const auto model = model_of(context.plan, arm);
  const auto vae = load_vae(model, context.device);
  const auto dit = load_merged(context);
  const auto clip = section<ClipConfig>(document, "clip");
  check_clip(clip, vae.config(), dit->config());
  const auto source = context.registry.make<ClipSource>(document, "");
  const auto method = context.registry.make<Method>(document, "");
  const auto sampler = context.registry.make<Sampler>(document, "");
  const auto guidance = context.registry.make<Guidance>(document, "");
  const auto& name = context.job.diagnostic;
  const auto diagnostic = context.registry.make<Diagnostic>(document, name, nullptr,
                                                            std::string(kDiagnosticPrefix) + name);

  const StoppableModel model_until_stop(*dit, context.stop);
  const Studio studio{model_until_stop,
                      vae,
                      text_encoder(model, context.device, context.registry),
                      *method,
                      *sampler,
                      *guidance,
                      section<RolloutConfig>(document, "rollout"),
                      clip,
                      image_encoder(model, context.device),
                      dit->track_parts()};
  const auto report = diagnostic->run(
      {studio, *source, context.device,
       section<EvaluationConfig>(document, "evaluation").first_scene,
       [&](std::int64_t done, std::int64_t total) { context.progress.update(done, total); }});
  check_dimensions(report, context.axes, name);
  write_report(context, report);
}

}  // namespace

std::shared_ptr<const JobKind> diagnose_jobs() { return std::make_shared<DiagnoseJobs>(); }

}  // namespace svi
