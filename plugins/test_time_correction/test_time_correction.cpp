#include <svi/plugin/plugin.hpp>

#include "diffusion_forcing/forcing_method.hpp"

namespace {

using namespace svi;

/// How a chunk is told its history.
enum class Told { image, frames };
std::vector<std::string> enum_names(Told) { return {"image", "frames"}; }

struct CorrectionOptions : PromptOptions {
  std::vector<double> levels = {0.5, 0.25};
  double strength = 1;
  Told history = Told::image;
  bool renoise = true;
  double context_level = 0;

  void describe(OptionVisitor& visit) {
    visit(levels,
          {.key = "levels",
           .help = "where the way from noise (1) to data (0) is corrected, counted in steps "
                   "of the sampler, before the shift; none: never",
           .min = 0,
           .max = 1});
    visit(strength, {.key = "strength",
                     .help = "how far a clean estimate goes to the one behind the image; 0: not at "
                             "all, 1: all the way",
                     .min = 0,
                     .max = 10});
    visit(history, {.key = "history",
                    .help = "image: the last frame is told as the condition image, as in chains; "
                            "frames: as a clean frame of the latent, which needs a model trained "
                            "with [training] frame_times = independent"});
    visit(renoise,
          {.key = "renoise",
           .help = "every step goes through the clean estimate and fresh noise, as few-step "
                   "models do; off: along the velocity"});
    visit(context_level, {.key = "context_level",
                          .help = "of history = frames: flow time that the model is told of it",
                          .min = 0,
                          .max = 0.999});
    PromptOptions::describe(visit);
  }
};

/// Test-time correction: a chain whose states on the way from noise to data are corrected by what
/// the model would make of them behind the first frame of the film.
///
/// Source: Pathwise Test-Time Correction (2026, arXiv 2602.05871). Training-free.
class TestTimeCorrection final : public forcing::ForcingMethod {
 public:
  using Config = CorrectionOptions;
  explicit TestTimeCorrection(const Config& config)
      : ForcingMethod({.rows =
                           [](std::int64_t steps, std::int64_t frames, std::int64_t ready,
                              std::int64_t window) {
                             const auto matrix = forcing::level_matrix(
                                 forcing::Matrix::full_sequence, steps, frames, 0);
                             return forcing::rows_of(matrix, ready, window);
                           },
                       .context_level = config.context_level,
                       .known_by_image = config.history == Told::image,
                       .renoise = config.renoise,
                       .corrected = config.levels,
                       .strength = config.strength},
                      config) {}
};

}  // namespace

SVI_PLUGIN("test_time_correction", "0.1.0", registrar) {
  registrar.add<Method, TestTimeCorrection>(
      "test_time_correction", "a chain whose way to the data is corrected by its first frame");
}
