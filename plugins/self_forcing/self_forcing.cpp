#include <svi/plugin/plugin.hpp>

#include "diffusion_forcing/forcing_method.hpp"

namespace {

using namespace svi;

struct SelfForcingOptions : PromptOptions {
  std::int64_t block = 1;
  std::int64_t context = 2;
  std::int64_t sink = 1;
  bool renoise = true;
  bool cache = false;

  void describe(OptionVisitor& visit) {
    visit(block, {.key = "block",
                  .help = "frames that are made at once",
                  .unit = "latent frames",
                  .min = 1,
                  .max = 1000});
    visit(context,
          {.key = "context",
           .help = "clean frames that the blocks of a chunk see, beside those of the chunk",
           .unit = "latent frames",
           .min = 1,
           .max = 1000});
    visit(sink, {.key = "sink",
                 .help = "of these, so many are the film's first ones; the others are its last",
                 .unit = "latent frames",
                 .min = 0,
                 .max = 1000});
    visit(renoise,
          {.key = "renoise",
           .help = "every step goes through the clean estimate and fresh noise, as few-step "
                   "models do; off: along the velocity"});
    visit(cache, {.key = "cache",
                  .help = "keep keys and values of clean frames: blocks see them, and they do not "
                          "see blocks; off: attention in both directions, computed in each pass"});
    PromptOptions::describe(visit);
  }
};

/// Blocks one after the other behind clean ones and sink frames, as Self-Forcing makes films.
///
/// Source: Huang et al. 2025 (Self-Forcing); LongLive (frame sink). The README says what differs.
class SelfForcing final : public forcing::ForcingMethod {
 public:
  using Config = SelfForcingOptions;
  explicit SelfForcing(const Config& config)
      : ForcingMethod({.rows =
                           [block = config.block](std::int64_t steps, std::int64_t frames,
                                                  std::int64_t ready, std::int64_t window) {
                             return forcing::causal_rows(steps, frames, block, ready, window);
                           },
                       .context = config.context,
                       .sink = config.sink,
                       .cache = config.cache,
                       .renoise = config.renoise},
                      config) {}
};

}  // namespace

SVI_PLUGIN("self_forcing", "0.1.0", registrar) {
  registrar.add<Method, SelfForcing>(
      "self_forcing", "blocks one after the other behind clean ones and the film's first frames");
}
