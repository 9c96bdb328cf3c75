#include <ATen/ATen.h>

#include "curves.hpp"
#include "kinds.hpp"
#include "models.hpp"
#include "svi/core/log.hpp"
#include "svi/io/checkpoint.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/train/critic_trainer.hpp"
#include "train_loop.hpp"

namespace svi {
namespace {

constexpr const char* kFile = "critic.safetensors";

at::Tensor to_unit(const at::Tensor& frames) { return (frames + 1) * 0.5; }  // [-1, 1] to [0, 1]

/// Real frames of one step, [batch, 3, H, W]; those of one clip lie beside each other.
CriticTrainer::Frames training_frames(const ClipSource& source, const CriticTrainingConfig& config,
                                      ClipShape shape) {
  shape.frames = config.frames_per_clip;
  const auto clips = config.batch / config.frames_per_clip;
  return [&source, shape, clips,
          seed = static_cast<std::uint64_t>(config.seed)](std::int64_t step) {
    std::vector<at::Tensor> frames;
    for (std::int64_t i = 0; i < clips; ++i) {
      frames.push_back(source.training_clip(seed, step * clips + i, shape).video.transpose(0, 1));
    }
    return to_unit(at::cat(frames)).contiguous();
  };
}

at::Tensor held_out_frames(const ClipSource& source, std::int64_t count, const ClipShape& shape) {
  if (source.scene_count() < 2)
    raise<ConfigError>("a critic is judged on two held-out scenes or more; [data] holds ",
                       source.scene_count());
  std::vector<at::Tensor> frames;
  for (std::int64_t i = 0; i < std::min(count, source.scene_count()); ++i)
    frames.push_back(source.scene(i, shape).image);
  return to_unit(at::stack(frames)).contiguous();
}

/// Writes the held-out errors: every pair, and what they come to, over all damage and by kind.
void write_reports(const JobContext& context, PartWriter& part, const CriticReport& all,
                   const std::vector<CriticReport>& kinds) {
  const auto arms = context.axes.length("arm"), seeds = context.axes.length("seed");
  const auto arm = static_cast<std::int64_t>(context.job.arm);
  const auto vector = [&](const std::string& name, const char* dimension, const Attributes& about,
                          const std::vector<double>& values) {
    part.add({"/critic/" + name,
              {arm, 0, 0},
              {arms, seeds, static_cast<std::int64_t>(values.size())},
              {"arm", "seed", dimension},
              about},
             at::tensor(values, at::kDouble));
  };
  const auto number = [&](const std::string& name, const std::string& unit,
                          const std::string& meaning, auto field) {
    part.add({"/critic/" + name,
              {arm, 0},
              {arms, seeds},
              {"arm", "seed"},
              {{"unit", unit}, {"meaning", meaning}}},
             at::tensor({all.*field}, at::kDouble));
    std::vector<double> values;
    for (const auto& kind : kinds) values.push_back(kind.*field);
    vector("by_kind/" + name, "kind",
           {{"unit", unit},
            {"meaning", meaning + ", of frames with one kind of damage"},
            {"kinds", enum_names(Damage{})}},
           values);
  };
  vector("true_psnr", "sample",
         {{"unit", std::string("dB")}, {"meaning", std::string("PSNR of the damaged frame")}},
         all.truth);
  vector("predicted_psnr", "sample",
         {{"unit", std::string("dB")}, {"meaning", std::string("what the critic says of it")}},
         all.predicted);
  number("pearson", "1", "correlation of predicted and true PSNR on held-out scenes",
         &CriticReport::pearson);
  number("spearman", "1", "correlation of their ranks", &CriticReport::spearman);
  number("error", "dB", "root mean square error on held-out scenes", &CriticReport::error);
  number("bias", "dB", "mean of predicted minus true PSNR", &CriticReport::bias);
}

void judge_and_write(const JobContext& context, const Critic& critic,
                     const CriticTrainingConfig& config, const at::Tensor& frames,
                     PartWriter& part) {
  const auto seed = static_cast<std::uint64_t>(config.seed);
  const auto all = judge_critic(critic, config.damage, frames, config.held_out_draws, seed);
  std::vector<CriticReport> kinds;
  for (std::int64_t k = 0; k < kDamages; ++k) {
    kinds.push_back(judge_critic(critic, config.damage, static_cast<Damage>(k), frames, 1, seed));
  }
  SVI_INFO(context.job.name, "on ", frames.size(0), " held-out frames: error ", all.error,
           " dB, bias ", all.bias, " dB, Pearson ", all.pearson, ", Spearman ", all.spearman);
  write_reports(context, part, all, kinds);
}

class CriticJobs final : public JobKind {
 public:
  const char* name() const override { return "pretrain"; }

  std::vector<Job> list(const Plan& plan) const override {
    std::vector<Job> jobs;
    if (plan.experiment.kind != ExperimentKind::critic) return jobs;
    for (std::size_t a = 0; a < plan.arms.size(); ++a) {
      const auto& document = plan.arms[a].document;
      jobs.push_back({.name = "critic-" + safe_name(plan.arms[a].name),
                      .arm = a,
                      .cost = static_cast<double>(integer(document, "critic_training", "steps") *
                                                  integer(document, "critic_training", "batch")) *
                              0.002});
    }
    return jobs;
  }

  std::vector<ResultScale> axes(const Plan& plan, const Registry&) const override {
    std::vector<ResultScale> axes;
    for (const auto& arm : plan.arms)
      axes.push_back(
          counted_axis("critic_step", integer(arm.document, "critic_training", "steps")));
    return axes;
  }

  void run(const JobContext& context) const override;
};

void CriticJobs::run(const JobContext& context) const {
  if (context.team.rank() != 0)
    return;  // one small model: data parallel would cost more than it saves
  const auto& document = context.plan.arms[context.job.arm].document;
  const Folders folders(context.plan.folder());
  const auto config = section<CriticTrainingConfig>(document, "critic_training");
  const ClipShape shape = section<ClipConfig>(document, "clip");
  const auto source = context.registry.make<ClipSource>(document, "");
  const auto held_out = held_out_frames(*source, config.held_out_scenes, shape);
  Critic critic(section<CriticConfig>(document, "critic"), context.device);
  CriticTrainer trainer(critic, config, training_frames(*source, config, shape));
  Curves curves({{"critic_loss", "1", "smooth L1 of the error in units of 10 dB"},
                 {"critic_error", "dB", "root mean square error of the batch"},
                 {"critic_learning_rate", "1", "of this step"}});

  train_alone(context, trainer, config.steps, curves, [&] {
    const auto report = trainer.advance();
    curves.add({report.loss, report.error, report.learning_rate});
    return cat("error ", report.error, " dB");
  });
  critic.require_grad(false);
  std::filesystem::create_directories(folders.weights());
  save_safetensors(folders.weights() / kFile, critic.parameters());
  PartWriter part(folders.root(), context.job.name);
  curves.write(part, "/training", "critic_step", static_cast<std::int64_t>(context.job.arm), 0,
               context.axes.lengths({"arm", "seed", "critic_step"}));
  judge_and_write(context, critic, config, held_out, part);
  part.commit();
  CheckpointFolder(folders.checkpoints(context.job.name)).clear();
}

}  // namespace

std::shared_ptr<const JobKind> critic_jobs() { return std::make_shared<CriticJobs>(); }

}  // namespace svi
