#include "train_loop.hpp"

#include <limits>

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
  const CheckpointFolder checkpoints(folders.checkpoints(context.job.name));
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
  const auto total = context.axes.length("step");
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

}  // namespace svi
