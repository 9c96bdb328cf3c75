#pragma once

#include <vector>

#include "curves.hpp"
#include "jobs.hpp"
#include "svi/train/trainer.hpp"

namespace svi {

/// The columns that every flow-matching training writes, and one step's row of them.
std::vector<Curves::Column> training_columns();
std::vector<double> training_row(const StepReport& report);

/// Trains to the end, going on from the newest checkpoint if there is one, and saving one every
/// [run] checkpoint_steps. Collective over the job's team.
void train_with_checkpoints(const JobContext& context, Trainer& trainer, Curves& curves);

}  // namespace svi
