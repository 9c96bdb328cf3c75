#include "rolling_queue.hpp"

#include <algorithm>
#include <svi/core/check.hpp>

namespace rolling {
namespace {

using svi::cat;
using svi::ConfigError;
using svi::raise;

void require_multiple(std::int64_t steps, std::int64_t part, const char* why) {
  if (steps % part == 0) return;
  const auto below = steps / part * part;
  raise<ConfigError>("[sampler] steps = ", steps, ": ", why, " ", part,
                     " latent frames; the nearest number of steps that works: ",
                     below > 0 ? cat(below, " or ") : "", below + part);
}

}  // namespace

std::vector<std::string> enum_names(Schedule) { return {"fifo", "rolling"}; }
std::vector<std::string> enum_names(Start) { return {"clip", "noise"}; }
std::vector<std::string> enum_names(Partitions) { return {"one_by_one", "together"}; }

void RollingOptions::describe(svi::OptionVisitor& visit) {
  visit(schedule, {.key = "schedule",
                   .help = "fifo: a queue with a frame for each step of the sampler, in windows; "
                           "rolling: one window, which takes steps / frames steps for each frame "
                           "that leaves it (Rolling Diffusion)"});
  visit(window, {.key = "window",
                 .help = "latent frames of one pass of the model; 0: those of [clip]",
                 .unit = "latent frames",
                 .min = 0,
                 .max = 1000});
  visit(lookahead, {.key = "lookahead",
                    .help = "of fifo: windows overlap by half, and only their noisier half moves, "
                            "so that every frame sees cleaner ones; twice the passes"});
  visit(context, {.key = "context",
                  .help = "of rolling: frames that left, which the window sees",
                  .unit = "latent frames",
                  .min = 0,
                  .max = 1000});
  visit(start, {.key = "start",
                .help = "what fills the queue first: clip, a clip as the sampler makes it, noised; "
                        "noise, which takes the steps of a clip until the first frame is clean"});
  visit(warm_up, {.key = "warm_up",
                  .help = "of start = clip: roll the frames out of the queue that only repeat the "
                          "image"});
  visit(partitions, {.key = "partitions",
                     .help = "windows of a step run one_by_one, or together as one batch, which "
                             "svi-generate --split-batch shares among ranks"});
  PromptOptions::describe(visit);
}

std::vector<std::int64_t> Windows::levels(std::int64_t done) const {
  std::vector<std::int64_t> levels;
  for (std::int64_t w = 0; w < queue; ++w) levels.push_back((w + 1) * lead - done);
  return levels;
}

std::vector<std::int64_t> Windows::starting(std::int64_t done) const {
  std::vector<std::int64_t> levels;
  for (std::int64_t w = 0; w < queue; ++w)
    levels.push_back(std::min(steps, w * lead + steps - done));
  return levels;
}

Windows windows_of(const RollingOptions& options, std::int64_t clip_frames, std::int64_t steps) {
  const auto f = options.window > 0 ? options.window : clip_frames;
  if (options.schedule == Schedule::rolling) {
    if (options.context >= f) {
      raise<ConfigError>("[method] context = ", options.context, ": a window of ", f,
                         " latent frames has no room for frames that move; the largest context is ",
                         f - 1);
    }
    const auto moved = f - options.context;
    require_multiple(steps, moved, "a window takes as many steps for each frame; it moves");
    return {moved, options.context, moved, steps, steps / moved};
  }
  if (options.lookahead && f < 2) {
    raise<ConfigError>("[method] window = ", f, ": with lookahead a window has at least 2 latent ",
                       "frames, one that stays and one that moves; set window, or lookahead = off");
  }
  const auto moved = options.lookahead ? f / 2 : f;
  require_multiple(steps, moved, "the queue has a frame for each step and is cut into parts of");
  return {steps, f - moved, moved, steps, 1};
}

}  // namespace rolling
