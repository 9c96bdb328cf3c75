#include <ATen/ATen.h>

#include "curves.hpp"
#include "jobs.hpp"
#include "models.hpp"
#include "pool_batches.hpp"
#include "svi/core/log.hpp"
#include "svi/io/checkpoint.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/train/trainable.hpp"
#include "svi/train/vae_trainer.hpp"
#include "train_loop.hpp"

namespace svi {

void run_train_vae(const JobContext& context) {
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
               {context.shape.arms, context.shape.seeds, context.shape.vae_steps});
  part.commit();
  CheckpointFolder(folders.checkpoints(context.job)).clear();
}

void run_train_base(const JobContext& context) {
  const auto& arm = context.plan.arms[context.job.arm];
  const auto& document = arm.document;
  const Folders folders(context.plan.folder());
  const auto seed = static_cast<std::uint64_t>(context.plan.experiment.seeds.front());
  const auto pool = LatentPool::open(folders.pool(context.plan, arm));
  WanDit dit(section<WanDitConfig>(document, "dit"));
  dit.initialise(seed);
  dit.to(context.device, at::kFloat);
  dit.recompute_blocks(context.plan.run.activation_checkpointing);

  const auto variant = context.registry.make<Variant>(document, "");
  const auto collective = context.registry.make<Collective>(document, "");
  collective->connect(context.team);
  const auto config = section<Trainer::Config>(document, "pretraining");
  PoolBatches batches(pool, variant->training(), seed, config.slots * config.micro_batch);
  Trainer trainer(config, {dit, trainable(dit), batches, *collective}, seed, context.team);
  Curves curves(training_columns());
  train_with_checkpoints(context, trainer, curves);

  if (context.team.rank() != 0) return;
  std::filesystem::create_directories(folders.weights());
  save_safetensors(folders.weights() / model_of(context.plan, arm).dit, trainer.averaged());
  PartWriter part(folders.root(), context.job.name);
  curves.write(part, "/training", "step", static_cast<std::int64_t>(context.job.arm), 0,
               {context.shape.arms, context.shape.seeds, context.shape.steps});
  part.commit();
  CheckpointFolder(folders.checkpoints(context.job)).clear();
}

}  // namespace svi
