#include <ATen/ATen.h>

#include "curves.hpp"
#include "kinds.hpp"
#include "models.hpp"
#include "svi/io/checkpoint.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/train/vae_trainer.hpp"
#include "train_loop.hpp"

namespace svi {
namespace {

class VaeJobs final : public JobKind {
 public:
  const char* name() const override { return "pretrain"; }

  std::vector<Job> list(const Plan& plan) const override {
    std::vector<Job> jobs;
    for (std::size_t a = 0; a < plan.arms.size(); ++a) {
      const auto& document = plan.arms[a].document;
      if (!trains_codec(plan, plan.arms[a])) continue;
      jobs.push_back({.name = "vae",
                      .arm = a,
                      .cost = static_cast<double>(integer(document, "vae_training", "steps") *
                                                  integer(document, "vae_training", "batch")) *
                              0.05});
    }
    return jobs;
  }

  std::vector<ResultScale> axes(const Plan& plan, const Registry&) const override {
    std::vector<ResultScale> axes;
    for (const auto& arm : plan.arms)
      axes.push_back(counted_axis("vae_step", integer(arm.document, "vae_training", "steps")));
    return axes;
  }

  void run(const JobContext& context) const override;
};

void VaeJobs::run(const JobContext& context) const {
  if (context.team.rank() != 0)
    return;  // one small model: data parallel would cost more than it saves
  const auto& arm = context.plan.arms[context.job.arm];
  const auto& document = arm.document;
  const Folders folders(context.plan.folder());
  const auto config = section<VaePretrainerConfig>(document, "vae_training");
  const ClipShape shape = section<ClipConfig>(document, "clip");
  const auto source = context.registry.make<ClipSource>(document, "");
  WanVae vae(section<WanVaeConfig>(document, "vae"), context.device);
  VaePretrainer trainer(vae, config, [&](std::int64_t step) {
    std::vector<at::Tensor> videos;
    for (std::int64_t i = 0; i < config.batch; ++i) {
      videos.push_back(source
                           ->training_clip(static_cast<std::uint64_t>(config.seed),
                                           step * config.batch + i, shape)
                           .video);
    }
    return at::stack(videos).to(context.device);
  });
  Curves curves({{"vae_reconstruction", "1", "mean absolute error, pixels in [-1, 1]"},
                 {"vae_kl", "nats", "divergence from N(0, 1) per latent value"},
                 {"vae_idempotence", "1", "second trip against the first; 0 on steps without it"}});

  train_alone(context, trainer, config.steps, curves, [&] {
    const auto losses = trainer.advance();
    curves.add({losses.reconstruction, losses.kl, losses.idempotence});
    return cat("error ", losses.reconstruction);
  });
  trainer.finish();
  std::filesystem::create_directories(folders.weights());
  save_safetensors(folders.weights() / model_of(context.plan, arm).vae, vae.state());
  PartWriter part(folders.root(), context.job.name);
  curves.write(part, "/training", "vae_step", static_cast<std::int64_t>(context.job.arm), 0,
               context.axes.lengths({"arm", "seed", "vae_step"}));
  part.commit();
  CheckpointFolder(folders.checkpoints(context.job.name)).clear();
}

}  // namespace

std::shared_ptr<const JobKind> vae_jobs() { return std::make_shared<VaeJobs>(); }

}  // namespace svi
