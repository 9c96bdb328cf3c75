#include <ATen/ATen.h>

#include <limits>

#include "curves.hpp"
#include "jobs.hpp"
#include "models.hpp"
#include "pool_batches.hpp"
#include "svi/core/log.hpp"
#include "svi/io/checkpoint.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/lora.hpp"
#include "svi/tensor/error_records.hpp"
#include "svi/train/trainable.hpp"
#include "svi/train/trainer.hpp"
#include "train_loop.hpp"

namespace svi {

std::vector<Curves::Column> training_columns() {
  return {
      {"loss", "1", "mean over the global batch, as minimised"},
      {"unweighted_loss", "1", "without the weight of the flow time"},
      {"gradient_norm", "1", "before clipping"},
      {"learning_rate", "1", "of this step"},
      {"clean", "samples", "samples of the step kept clean on purpose"},
      {"noise_hits", "samples", "samples whose noise received a banked error"},
      {"latent_hits", "samples", "samples whose latent received a banked error"},
      {"image_hits", "samples", "samples whose condition received a banked error"},
      {"rollouts", "clips", "clips generated before the step"},
      {"bank_entries", "errors", "entries of the bank, where it was looked at"},
      {"bank_mean_error", "latent std", "RMS of the mean banked error: the bias it would teach"},
      {"bank_rms", "latent std", "RMS of the banked errors at the data end"},
      {"bank_depth", "errors", "carried errors behind a banked one, mean over the bank"}};
}

std::vector<double> training_row(const StepReport& report) {
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  return {report.loss,
          report.unweighted_loss,
          report.gradient_norm,
          report.learning_rate,
          static_cast<double>(report.clean),
          static_cast<double>(report.noise_hits),
          static_cast<double>(report.latent_hits),
          static_cast<double>(report.image_hits),
          static_cast<double>(report.rollouts),
          report.bank ? static_cast<double>(report.bank->entries) : nan,
          report.bank ? report.bank->mean_error : nan,
          report.bank ? report.bank->data_rms : nan,
          report.bank ? report.bank->mean_depth : nan};
}

void train_with_checkpoints(const JobContext& context, Trainer& trainer, Curves& curves) {
  const Folders folders(context.plan.folder());
  const CheckpointFolder checkpoints(folders.checkpoints(context.job));
  // Every rank reads the same file, so all agree on where to go on.
  if (auto saved = checkpoints.load_newest()) {
    NamedTensors state;
    for (auto& [name, tensor] : saved->tensors) {
      if (name == "curves") {
        curves.load(tensor);
      } else {
        state.emplace_back(name, tensor);
      }
    }
    trainer.load(state);
    if (context.team.rank() == 0)
      SVI_INFO(context.job.name, "goes on at step ", trainer.steps_done());
  }
  const auto total = static_cast<std::int64_t>(context.shape.steps);
  while (!trainer.finished()) {
    trainer.run(
        [&](const StepReport& report) {
          curves.add(training_row(report));
          context.progress.update(report.step + 1, total, cat("loss ", report.unweighted_loss));
        },
        trainer.steps_done() + 1);
    const bool stop = context.stop.requested_by_any(context.team);
    const bool due = stop || trainer.steps_done() % context.plan.run.checkpoint_steps == 0;
    if (!due || trainer.finished()) continue;
    auto state = trainer.state();
    if (context.team.rank() == 0) {
      state.emplace_back("curves", curves.state());
      checkpoints.save({trainer.steps_done(), std::move(state), {}});
    }
    if (stop) throw JobStopped();
  }
}

void run_encode(const JobContext& context) {
  if (context.team.rank() != 0) return;
  const auto& arm = context.plan.arms[context.job.arm];
  const auto& document = arm.document;
  const auto model = model_of(context.plan, arm);
  const bool own_base = context.plan.experiment.kind == ExperimentKind::pretrain;
  // The first job of a pretraining that keeps its codec: nobody has made the folder yet.
  if (own_base) std::filesystem::create_directories(model.folder);
  const auto vae = load_vae(model, context.device);
  const auto source = context.registry.make<ClipSource>(document, "");
  const auto variant = context.registry.make<Variant>(document, "");
  const auto config = section<PoolConfig>(document, "pool");
  const auto shape = section<ClipConfig>(document, "clip");
  check_clip(shape, vae.config(),
             own_base ? section<WanDitConfig>(document, "dit") : dit_config(model));
  LatentPool::encode(Folders(context.plan.folder()).pool(context.plan, arm), *source,
                     static_cast<std::uint64_t>(config.seed), 0, config.clips, shape,
                     {vae, text_encoder(model, context.device),
                      own_base ? EncodeImage() : image_encoder(model, context.device)},
                     variant->training(), [&](std::int64_t done) {
                       if (context.stop.requested()) throw JobStopped();
                       context.progress.update(done, config.clips);
                     });
}

namespace {

/// Collective.
void keep_bank(const JobContext& context, const Recycler& recycler) {
  const auto errors = recycler.errors();
  if (context.team.rank() != 0) return;
  const auto& arm = context.plan.arms[context.job.arm];
  const auto seed = context.plan.experiment.seeds[context.job.seed];
  const auto path = Folders(context.plan.folder()).bank(arm, seed);
  std::filesystem::create_directories(path.parent_path());
  save_safetensors(path, pack_errors(errors),
                   {{"columns", join(error_columns())},
                    {"experiment", context.plan.experiment.name},
                    {"arm", arm.name},
                    {"seed", cat(seed)},
                    {"source", arm.document.get("error_source", "type").value_or("")}});
}

}  // namespace

void run_train_lora(const JobContext& context) {
  const auto& arm = context.plan.arms[context.job.arm];
  const auto& document = arm.document;
  const Folders folders(context.plan.folder());
  const auto seed_number = context.plan.experiment.seeds[context.job.seed];
  const auto seed = static_cast<std::uint64_t>(seed_number);
  const auto model = model_of(context.plan, arm);
  auto config = section<Trainer::Config>(document, "training");
  auto dit =
      load_dit(model, context.device, config.dtype == Precision::bf16 ? at::kBFloat16 : at::kFloat);
  const auto pool = LatentPool::open(folders.pool(context.plan, arm));
  auto lora = std::make_shared<Lora>(section<LoraConfig>(document, "lora"), dit->linears(), seed,
                                     context.device);
  lora->require_grad(true);
  dit->attach(lora);
  dit->recompute_blocks(context.plan.run.activation_checkpointing);

  const auto variant = context.registry.make<Variant>(document, "");
  const auto source = context.registry.make<ErrorSource>(document, "");
  const auto policy = context.registry.make<InjectionPolicy>(document, "");
  const auto collective = context.registry.make<Collective>(document, "");
  const auto sampler = context.registry.make<Sampler>(document, "");
  const auto guidance = context.registry.make<Guidance>(document, "");
  collective->connect(context.team);

  PoolBatches batches(pool, variant->training(), seed, config.slots * config.micro_batch);
  const auto vae = load_vae(model, context.device);
  const Studio studio{*dit,
                      vae,
                      text_encoder(model, context.device),
                      *variant,
                      *sampler,
                      *guidance,
                      section<RolloutConfig>(document, "rollout"),
                      section<ClipConfig>(document, "clip"),
                      image_encoder(model, context.device)};
  PoolRollouts rollouts(pool, studio, seed, context.device);
  const auto recycling = section<Recycler::Config>(document, "recycling");
  std::unique_ptr<Recycler> recycler;
  // Without a source of errors nothing is ever banked: plain fine-tuning.
  if (document.get("error_source", "type") != "none") {
    recycler = std::make_unique<Recycler>(
        recycling,
        Recycler::Parts{*source, *policy,
                        [&] { return context.registry.make<MemoryBank>(document, ""); }},
        seed, config.slots, config.micro_batch, context.team);
    recycler->preload(pool.latent.sizes().slice(1));
  }
  Trainer trainer(config, {*dit, trainable(*lora), batches, *collective, recycler.get(), &rollouts},
                  seed, context.team);
  Curves curves(training_columns());
  train_with_checkpoints(context, trainer, curves);

  if (recycler && recycling.keep_bank) keep_bank(context, *recycler);
  if (context.team.rank() != 0) return;
  const auto path = folders.lora(arm, seed_number);
  std::filesystem::create_directories(path.parent_path());
  save_safetensors(path, lora->tensors(),
                   {{"alpha", cat(lora->config().alpha)}, {"arm", arm.name}});
  PartWriter part(folders.root(), context.job.name);
  curves.write(part, "/training", "step", static_cast<std::int64_t>(context.job.arm),
               static_cast<std::int64_t>(context.job.seed),
               {context.shape.arms, context.shape.seeds, context.shape.steps});
  part.commit();
  CheckpointFolder(folders.checkpoints(context.job)).clear();
}

}  // namespace svi
