#include <ATen/ATen.h>

#include "kinds.hpp"
#include "models.hpp"
#include "svi/method/method.hpp"
#include "svi/train/latent_pool.hpp"

namespace svi {
namespace {

class EncodeJobs final : public JobKind {
 public:
  const char* name() const override { return "encode"; }

  std::vector<Job> list(const Plan& plan) const override {
    std::vector<Job> jobs;
    if (plan.experiment.kind == ExperimentKind::critic) return jobs;
    for (std::size_t a = 0; a < plan.arms.size(); ++a) {
      const auto& arm = plan.arms[a];
      if (!arm.trained && plan.experiment.kind != ExperimentKind::pretrain) continue;
      Job job{.name = pool_name(plan, arm), .arm = a};
      if (trains_codec(plan, arm)) job.after = {"vae"};
      job.cost = static_cast<double>(integer(arm.document, "pool", "clips")) * 0.02;
      jobs.push_back(std::move(job));
    }
    return jobs;
  }

  bool done(const Plan& plan, const Job& job) const override {
    return std::filesystem::exists(Folders(plan.folder()).pool(plan, plan.arms[job.arm]));
  }

  void run(const JobContext& context) const override;
};

void EncodeJobs::run(const JobContext& context) const {
  if (context.team.rank() != 0) return;
  const auto& arm = context.plan.arms[context.job.arm];
  const auto& document = arm.document;
  const auto model = model_of(context.plan, arm);
  const bool own_base = context.plan.experiment.kind == ExperimentKind::pretrain;
  // The first job of a pretraining that keeps its codec: nobody has made the folder yet.
  if (own_base) std::filesystem::create_directories(model.folder);
  const auto vae = load_vae(model, context.device);
  const auto source = context.registry.make<ClipSource>(document, "");
  const auto method = context.registry.make<Method>(document, "");
  const auto config = section<PoolConfig>(document, "pool");
  const auto shape = section<ClipConfig>(document, "clip");
  check_clip(shape, vae.config(),
             own_base ? section<WanDitConfig>(document, "dit") : dit_config(model));
  LatentPool::encode(Folders(context.plan.folder()).pool(context.plan, arm), *source,
                     static_cast<std::uint64_t>(config.seed), 0, config.clips, shape,
                     {vae, text_encoder(model, context.device, context.registry),
                      own_base ? EncodeImage() : image_encoder(model, context.device)},
                     method->training(), [&](std::int64_t done) {
                       if (context.stop.requested()) throw JobStopped();
                       context.progress.update(done, config.clips);
                     });
}

}  // namespace

std::shared_ptr<const JobKind> encode_jobs() { return std::make_shared<EncodeJobs>(); }

}  // namespace svi
