#include <ATen/ATen.h>

#include <algorithm>

#include "svi/core/random.hpp"
#include "svi/train/trainer.hpp"

namespace svi {
namespace {

// Number in a sample's sequence of flow times that says whether its frames have times of their own,
// behind those of the frames.
constexpr std::uint32_t kOwnTimes = 1U << 30;

}  // namespace

std::vector<std::string> enum_names(TimeSampling) { return {"table", "uniform"}; }
std::vector<std::string> enum_names(FrameTimes) { return {"one", "independent", "rolling"}; }
std::vector<std::string> enum_names(LossWeight) { return {"weighted", "unweighted"}; }
std::vector<std::string> enum_names(Precision) { return {"fp32", "bf16"}; }

void Trainer::Config::describe(OptionVisitor& visit) {
  visit(steps, {.key = "steps", .help = "updates", .unit = "step", .min = 0, .max = 4294967295.0});
  visit(slots, {.key = "slots",
                .help = "micro-batches per update; ranks share them",
                .min = 1,
                .max = 65536});
  visit(micro_batch, {.key = "micro_batch",
                      .help = "samples per micro-batch",
                      .unit = "sample",
                      .min = 1,
                      .max = 65536});
  visit(shift,
        {.key = "shift", .help = "shift of the table of flow times", .min = 1e-3, .max = 1000});
  visit(time_sampling, {.key = "time_sampling",
                        .help = "how flow times are drawn; table: uniform over the shifted table; "
                                "uniform: uniform over [0, 1]"});
  visit(frame_times, {.key = "frame_times",
                      .help = "flow times of a sample's latent frames; one: all the same; "
                              "independent: each its own, for diffusion_forcing and "
                              "history_guidance; rolling: rising behind a clean first "
                              "frame, for "
                              "noise_rolling"});
  visit(frame_time_block, {.key = "frame_time_block",
                           .help = "neighbouring latent frames that share an independent time",
                           .unit = "latent frames",
                           .min = 1,
                           .max = 1000});
  visit(frame_time_probability, {.key = "frame_time_probability",
                                 .help = "probability that a sample's frames have times of their "
                                         "own; otherwise they share one",
                                 .min = 0,
                                 .max = 1});
  visit(loss_weight,
        {.key = "loss_weight", .help = "whether a weight of the flow time multiplies the loss"});
  visit(dtype,
        {.key = "dtype", .help = "precision of the frozen weights; trained parameters stay fp32"});
  visit(text_drop, {.key = "text_drop",
                    .help = "probability that a sample's prompt is dropped",
                    .min = 0,
                    .max = 1});
  visit(image_drop, {.key = "image_drop",
                     .help = "probability that a sample's image condition is dropped",
                     .min = 0,
                     .max = 1});
  visit(ema_decay, {.key = "ema_decay",
                    .help = "decay of the running average of parameters; 0: no average",
                    .min = 0,
                    .max = 1});
  visit(bank_report_every, {.key = "bank_report_every",
                            .help = "training steps between reports on the bank",
                            .unit = "step",
                            .min = 1});
  optimizer.describe(visit);
}

at::Tensor Trainer::draw_times(std::int64_t first, std::int64_t frames) const {
  const auto F = config_.frame_times == FrameTimes::one ? 1 : frames;
  const bool weighted = config_.loss_weight == LossWeight::weighted;
  const auto drawn = at::empty({2, config_.micro_batch, F}, at::kFloat);
  auto times = drawn.accessor<float, 3>();
  for (std::int64_t b = 0; b < config_.micro_batch; ++b) {
    const RandomKey key{seed_, Purpose::sample_time, static_cast<std::uint32_t>(first + b),
                        static_cast<std::uint32_t>(steps_done_)};
    const bool own = config_.frame_times != FrameTimes::one &&
                     uniform(key, kOwnTimes) < config_.frame_time_probability;
    const auto put = [&](std::int64_t f, double sigma, std::int64_t entry) {
      times[0][b][f] = static_cast<float>(sigma);
      times[1][b][f] =
          weighted ? schedule_.training_weights()[static_cast<std::size_t>(entry)] : 1.0F;
    };
    for (std::int64_t f = 0; f < F; ++f) {
      const auto number = static_cast<std::uint32_t>(own ? f / config_.frame_time_block : 0);
      if (own && config_.frame_times == FrameTimes::rolling) {
        // The first frame is known and clean: nothing is to be learnt of it.
        const auto behind = static_cast<double>(f - 1) + uniform(key);
        const double u = f == 0 ? 0 : behind / static_cast<double>(F - 1);
        const double sigma = config_.shift * u / (1 + (config_.shift - 1) * u);
        put(f, sigma, schedule_.nearest(1000 * sigma));
        if (f == 0) times[1][b][f] = 0;
      } else if (config_.time_sampling == TimeSampling::table) {
        const auto entry = static_cast<std::int64_t>(
            uniform_index(key, static_cast<std::uint64_t>(schedule_.steps()), number));
        put(f, schedule_.sigmas()[static_cast<std::size_t>(entry)], entry);
      } else {
        const double sigma = uniform(key, number);
        put(f, sigma, schedule_.nearest(1000 * sigma));
      }
    }
  }
  return config_.frame_times == FrameTimes::one ? drawn.select(2, 0) : drawn;
}

}  // namespace svi
