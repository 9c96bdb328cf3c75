#include <svi/plugin/plugin.hpp>

#include "diffusion_forcing/forcing_method.hpp"

namespace {

using namespace svi;

enum class Schedule { full_sequence, autoregressive, pyramid, trapezoid, skyreels };
std::vector<std::string> enum_names(Schedule) {
  auto names = forcing::enum_names(forcing::Matrix());
  names.emplace_back("skyreels");
  return names;
}

struct ForcingOptions : PromptOptions {
  Schedule schedule = Schedule::pyramid;
  double uncertainty = 1;
  std::int64_t ar_step = 2;
  std::int64_t block = 1;
  std::int64_t context = 1;
  std::int64_t window = 0;
  std::int64_t chunk = 0;
  double context_level = 0.02;
  bool context_noise = false;

  void describe(OptionVisitor& visit) {
    visit(schedule, {.key = "schedule",
                     .help = "how levels fall: full_sequence, all frames together; autoregressive, "
                             "one frame after the other; pyramid, each frame uncertainty steps "
                             "behind the one before; trapezoid, from both ends to the middle; "
                             "skyreels, blocks ar_step steps apart"});
    visit(uncertainty, {.key = "uncertainty",
                        .help = "of pyramid and trapezoid: steps between neighbours",
                        .unit = "steps",
                        .min = 0,
                        .max = 1000});
    visit(ar_step, {.key = "ar_step",
                    .help = "of skyreels: steps between neighbouring blocks; 0: all together",
                    .unit = "steps",
                    .min = 0,
                    .max = 1000});
    visit(block, {.key = "block",
                  .help = "of skyreels: frames that share a level (causal_block_size)",
                  .unit = "latent frames",
                  .min = 1,
                  .max = 1000});
    visit(context, {.key = "context",
                    .help = "last clean frames that a chunk sees (the overlap of SkyReels-V2)",
                    .unit = "latent frames",
                    .min = 1,
                    .max = 1000});
    visit(window, {.key = "window",
                   .help = "frames that the model sees at once; 0: those of [clip]",
                   .unit = "latent frames",
                   .min = 0,
                   .max = 1000});
    visit(chunk, {.key = "chunk",
                  .help = "new frames of one schedule, at most; 0: what the window has room for",
                  .unit = "latent frames",
                  .min = 0,
                  .max = 1000});
    visit(context_level, {.key = "context_level",
                          .help = "flow time that the model is told of clean frames: stabilisation "
                                  "level, or addnoise_condition / 1000 of SkyReels-V2",
                          .min = 0,
                          .max = 0.999});
    visit(context_noise, {.key = "context_noise",
                          .help = "noise clean frames to that level, afresh in every step, as "
                                  "SkyReels-V2 does; off: only say so, as Diffusion Forcing does"});
    PromptOptions::describe(visit);
  }

  forcing::ForcingPlan::Rows rows() const {
    return [*this](std::int64_t steps, std::int64_t frames, std::int64_t ready, std::int64_t seen) {
      if (schedule == Schedule::skyreels)
        return forcing::skyreels_rows(steps, frames, ar_step, block, ready, seen);
      const auto kind = static_cast<forcing::Matrix>(schedule);
      return forcing::rows_of(forcing::level_matrix(kind, steps, frames, uncertainty), ready, seen);
    };
  }
};

/// Diffusion Forcing: chunks of frames whose noise levels fall by a schedule matrix, behind clean
/// ones.
///
/// Source: Chen et al. 2024 (Diffusion Forcing, NeurIPS 2024); Chen et al. 2025 (SkyReels-V2). The
/// README says what differs.
class DiffusionForcing final : public forcing::ForcingMethod {
 public:
  using Config = ForcingOptions;
  explicit DiffusionForcing(const Config& config)
      : ForcingMethod({.rows = config.rows(),
                       .context = config.context,
                       .window = config.window,
                       .chunk = config.chunk,
                       .context_level = config.context_level,
                       .context_noise = config.context_noise},
                      config) {}
};

}  // namespace

SVI_PLUGIN("diffusion_forcing", "0.1.0", registrar) {
  registrar.add<Method, DiffusionForcing>(
      "diffusion_forcing", "Diffusion Forcing: frames at noise levels of their own, by a matrix");
}
