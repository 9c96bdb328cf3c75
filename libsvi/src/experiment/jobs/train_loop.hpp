#pragma once

#include <string>
#include <utility>
#include <vector>

#include "curves.hpp"
#include "jobs.hpp"
#include "svi/core/log.hpp"
#include "svi/io/checkpoint.hpp"
#include "svi/train/trainer.hpp"

namespace svi {

/// The columns that every flow-matching training writes, and one step's row of them.
std::vector<Curves::Column> training_columns();
std::vector<double> training_row(const StepReport& report);

/// Trains to the end, going on from the newest checkpoint if there is one, and saving one every
/// [run] checkpoint_steps. Asked to stop, it saves one after the step in work and throws
/// JobStopped. Collective over the job's team.
void train_with_checkpoints(const JobContext& context, Trainer& trainer, Curves& curves);

/// The same for a small model that one rank trains alone (`Alone` being its trainer): `advance`
/// does one step, adds its row to `curves` and returns what to show of it.
template <class Alone, class Advance>
void train_alone(const JobContext& context, Alone& trainer, std::int64_t steps, Curves& curves,
                 Advance&& advance) {
  const CheckpointFolder checkpoints(Folders(context.plan.folder()).checkpoints(context.job.name));
  if (auto saved = checkpoints.load_newest()) {
    curves.load(saved->tensors.back().second);
    saved->tensors.pop_back();
    trainer.load(saved->tensors);
    SVI_INFO(context.job.name, "goes on at step ", trainer.step());
  }
  while (!trainer.finished()) {
    const std::string shown = advance();
    context.progress.update(trainer.step(), steps, shown);
    const bool stop = context.stop.requested();
    const bool due = stop || trainer.step() % context.plan.run.checkpoint_steps == 0;
    if (!due || trainer.finished()) continue;
    auto state = trainer.state();
    state.emplace_back("curves", curves.state());
    checkpoints.save({trainer.step(), std::move(state), {}});
    if (stop) throw JobStopped();
  }
}

}  // namespace svi
