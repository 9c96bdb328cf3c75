#include <svi/plugin/plugin.hpp>

#include "diffusion_forcing/forcing_method.hpp"

namespace {

using namespace svi;

struct HierarchicalOptions : PromptOptions {
  std::int64_t block = 1;
  std::int64_t context = 1;
  bool renoise = true;
  bool cache = false;

  void describe(OptionVisitor& visit) {
    visit(block, {.key = "block",
                  .help = "frames of a block, which is denoised at once",
                  .unit = "latent frames",
                  .min = 1,
                  .max = 1000});
    visit(context, {.key = "context",
                    .help = "frames before a chunk of blocks that it sees",
                    .unit = "latent frames",
                    .min = 1,
                    .max = 1000});
    visit(renoise,
          {.key = "renoise",
           .help = "every step goes through the clean estimate and fresh noise, as few-step "
                   "models do; off: along the velocity"});
    visit(cache,
          {.key = "cache",
           .help = "keep keys and values of a step: blocks see those before them, which do "
                   "not see them; off: attention in both directions, computed in each pass"});
    PromptOptions::describe(visit);
  }
};

/// Hierarchical denoising: every block takes a step before any takes the next one, and sees the
/// blocks before it at its own noise level, never cleaner.
///
/// Source: HiAR (2026, arXiv 2603.08703). The README says what differs.
class HierarchicalDenoising final : public forcing::ForcingMethod {
 public:
  using Config = HierarchicalOptions;
  explicit HierarchicalDenoising(const Config& config)
      : ForcingMethod({.rows =
                           [block = config.block](std::int64_t steps, std::int64_t frames,
                                                  std::int64_t ready, std::int64_t window) {
                             return forcing::hierarchical_rows(steps, frames, block, ready, window);
                           },
                       .context = config.context,
                       .cache = config.cache,
                       .renoise = config.renoise},
                      config) {}
};

}  // namespace

SVI_PLUGIN("hierarchical_denoising", "0.1.0", registrar) {
  registrar.add<Method, HierarchicalDenoising>(
      "hierarchical_denoising", "HiAR: blocks that see their history at their own noise level");
}
