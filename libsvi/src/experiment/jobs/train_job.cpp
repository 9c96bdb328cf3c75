#include <ATen/ATen.h>

#include "curves.hpp"
#include "kinds.hpp"
#include "models.hpp"
#include "pool_batches.hpp"
#include "svi/io/checkpoint.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/lora.hpp"
#include "svi/tensor/error_records.hpp"
#include "svi/train/trainable.hpp"
#include "svi/train/trainer.hpp"
#include "train_loop.hpp"

namespace svi {
namespace {

class TrainJobs final : public JobKind {
 public:
  const char* name() const override { return "train"; }
  bool of_arm_and_seed() const override { return true; }

  std::vector<Job> list(const Plan& plan) const override {
    std::vector<Job> jobs;
    for (std::size_t a = 0; a < plan.arms.size(); ++a) {
      const auto& arm = plan.arms[a];
      if (!arm.trained || plan.experiment.kind == ExperimentKind::critic) continue;
      for (std::size_t s = 0; s < seeds_of(plan, arm); ++s) {
        Job job{.name = training_name(plan, a, s), .arm = a, .seed = s};
        job.after = {pool_name(plan, arm)};
        if (plan.experiment.kind == ExperimentKind::pretrain) job.after.emplace_back("base");
        job.cost = training_cost(arm.document, "training");
        jobs.push_back(std::move(job));
      }
    }
    return jobs;
  }

  std::vector<ResultScale> axes(const Plan& plan, const Registry&) const override {
    std::vector<ResultScale> axes;
    for (const auto& arm : plan.arms)
      axes.push_back(counted_axis("step", integer(arm.document, "training", "steps")));
    return axes;
  }

  void run(const JobContext& context) const override;
};

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

void TrainJobs::run(const JobContext& context) const {
  const auto& arm = context.plan.arms[context.job.arm];
  const auto& document = arm.document;
  const Folders folders(context.plan.folder());
  const auto seed_number = context.plan.experiment.seeds[context.job.seed];
  const auto seed = static_cast<std::uint64_t>(seed_number);
  const auto model = model_of(context.plan, arm);
  auto config = section<Trainer::Config>(document, "training");
  auto dit = dit_opener(model, context.device)
                 .for_training(config.dtype == Precision::bf16 ? at::kBFloat16 : at::kFloat);
  const auto pool = LatentPool::open(folders.pool(context.plan, arm));
  auto lora = std::make_shared<Lora>(section<LoraConfig>(document, "lora"), dit->linears(), seed,
                                     context.device);
  lora->require_grad(true);
  dit->attach(lora);
  auto trained = trainable(*lora);
  std::vector<std::pair<std::string, double>> drops;
  const auto extensions = arm_extensions(context.registry, document, *dit, seed, context.device);
  for (const auto& [label, extension] : extensions) {
    dit->attach(extension);
    const auto& options = extension->options();
    if (options.train) {
      for (auto& parameter : trainable(*extension)) trained.push_back(std::move(parameter));
    }
    if (options.drop == 0) continue;
    for (const auto& rule : extension->reads()) drops.emplace_back(rule.name, options.drop);
  }
  dit->recompute_blocks(context.plan.run.activation_checkpointing);

  const auto method = context.registry.make<Method>(document, "");
  const auto source = context.registry.make<ErrorSource>(document, "");
  const auto policy = context.registry.make<InjectionPolicy>(document, "");
  const auto collective = context.registry.make<Collective>(document, "");
  const auto sampler = context.registry.make<Sampler>(document, "");
  const auto guidance = context.registry.make<Guidance>(document, "");
  collective->connect(context.team);

  PoolBatches batches(pool, method->training(), seed, config.slots * config.micro_batch,
                      dit->track_parts());
  const auto vae = load_vae(model, context.device);
  const Studio studio{*dit,
                      vae,
                      text_encoder(model, context.device, context.registry),
                      *method,
                      *sampler,
                      *guidance,
                      section<RolloutConfig>(document, "rollout"),
                      section<ClipConfig>(document, "clip"),
                      image_encoder(model, context.device),
                      dit->track_parts()};
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
  Trainer trainer(config, {*dit, trained, batches, *collective, recycler.get(), &rollouts, drops},
                  seed, context.team);
  Curves curves(training_columns());
  train_with_checkpoints(context, trainer, curves);

  if (recycler && recycling.keep_bank) keep_bank(context, *recycler);
  if (context.team.rank() != 0) return;
  const auto path = folders.lora(arm, seed_number);
  std::filesystem::create_directories(path.parent_path());
  save_safetensors(path, lora->tensors(),
                   {{"alpha", cat(lora->config().alpha)}, {"arm", arm.name}});
  for (const auto& [label, extension] : extensions)
    extension->save(folders.extension(arm, seed_number, label));
  PartWriter part(folders.root(), context.job.name);
  curves.write(part, "/training", "step", static_cast<std::int64_t>(context.job.arm),
               static_cast<std::int64_t>(context.job.seed),
               context.axes.lengths({"arm", "seed", "step"}));
  part.commit();
  CheckpointFolder(folders.checkpoints(context.job.name)).clear();
}

}  // namespace

std::shared_ptr<const JobKind> train_jobs() { return std::make_shared<TrainJobs>(); }

}  // namespace svi
