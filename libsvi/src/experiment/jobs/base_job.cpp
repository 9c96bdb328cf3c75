#include <ATen/ATen.h>

#include "curves.hpp"
#include "kinds.hpp"
#include "models.hpp"
#include "pool_batches.hpp"
#include "svi/io/checkpoint.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/train/trainable.hpp"
#include "train_loop.hpp"

namespace svi {
namespace {

class BaseJobs final : public JobKind {
 public:
  const char* name() const override { return "pretrain"; }

  /// One for all arms, on the first one's pool.
  std::vector<Job> list(const Plan& plan) const override {
    if (plan.experiment.kind != ExperimentKind::pretrain) return {};
    const auto& arm = plan.arms.front();
    return {{.name = "base",
             .after = {pool_name(plan, arm)},
             .cost = training_cost(arm.document, "pretraining")}};
  }

  std::vector<ResultScale> axes(const Plan& plan, const Registry&) const override {
    std::vector<ResultScale> axes;
    for (const auto& arm : plan.arms)
      axes.push_back(counted_axis("step", integer(arm.document, "pretraining", "steps")));
    return axes;
  }

  void run(const JobContext& context) const override;
};

void BaseJobs::run(const JobContext& context) const {
  const auto& arm = context.plan.arms[context.job.arm];
  const auto& document = arm.document;
  const Folders folders(context.plan.folder());
  const auto seed = static_cast<std::uint64_t>(context.plan.experiment.seeds.front());
  const auto pool = LatentPool::open(folders.pool(context.plan, arm));
  WanDit dit(section<WanDitConfig>(document, "dit"));
  dit.initialise(seed);
  dit.to(context.device, at::kFloat);
  dit.recompute_blocks(context.plan.run.activation_checkpointing);

  const auto method = context.registry.make<Method>(document, "");
  const auto collective = context.registry.make<Collective>(document, "");
  collective->connect(context.team);
  const auto config = section<Trainer::Config>(document, "pretraining");
  PoolBatches batches(pool, method->training(), seed, config.slots * config.micro_batch);
  Trainer trainer(config, {dit, trainable(dit), batches, *collective}, seed, context.team);
  Curves curves(training_columns());
  train_with_checkpoints(context, trainer, curves);

  if (context.team.rank() != 0) return;
  std::filesystem::create_directories(folders.weights());
  save_safetensors(folders.weights() / model_of(context.plan, arm).dit, trainer.averaged());
  PartWriter part(folders.root(), context.job.name);
  curves.write(part, "/training", "step", static_cast<std::int64_t>(context.job.arm), 0,
               context.axes.lengths({"arm", "seed", "step"}));
  part.commit();
  CheckpointFolder(folders.checkpoints(context.job.name)).clear();
}

}  // namespace

std::shared_ptr<const JobKind> base_jobs() { return std::make_shared<BaseJobs>(); }

}  // namespace svi
