#include <svi/core/check.hpp>
#include <svi/plugin/plugin.hpp>

#include "diffusion_forcing/forcing_method.hpp"

namespace {

using namespace svi;

enum class Scheme { conditional, vanilla, fractional, temporal };
std::vector<std::string> enum_names(Scheme) {
  return {"conditional", "vanilla", "fractional", "temporal"};
}

struct HistoryOptions : PromptOptions {
  Scheme scheme = Scheme::vanilla;
  double scale = 1.5;
  double fraction = 0.5;
  double stabilisation = 0;
  std::vector<std::string> subsequences = {"all", "-1"};
  std::vector<double> weights = {1, 1};
  std::vector<std::string> parts = {};
  bool drop_condition = true;
  forcing::Matrix schedule = forcing::Matrix::full_sequence;
  double uncertainty = 1;
  std::int64_t context = 2;

  void describe(OptionVisitor& visit) {
    visit(scheme, {.key = "scheme",
                   .help = "conditional: no guidance; vanilla: away from no history; fractional: "
                           "away from none towards its coarse part; temporal: a sum over parts of "
                           "the history"});
    visit(scale, {.key = "scale",
                  .help = "of vanilla and fractional: strength of the history; 1 is off",
                  .min = 0,
                  .max = 100});
    visit(fraction, {.key = "fraction",
                     .help = "of fractional: flow time to which the history is noised",
                     .min = 0,
                     .max = 1});
    visit(stabilisation, {.key = "stabilisation",
                          .help = "flow time to which history that the model made is noised",
                          .min = 0,
                          .max = 0.999});
    visit(subsequences, {.key = "subsequences",
                         .help = "of temporal: frames of the history, such as all, -1, 0+-1"});
    visit(
        weights,
        {.key = "weights", .help = "of temporal: one for each subsequence", .min = 0, .max = 100});
    visit(parts, {.key = "parts",
                  .help = "of temporal: new frames that are made by themselves, such as 0+1, 1+2, "
                          "and averaged where parts overlap; none: all at once"});
    visit(drop_condition,
          {.key = "drop_condition",
           .help = "passes without history also lose the condition image and its CLIP tokens"});
    visit(schedule, {.key = "schedule", .help = "how levels fall, as of diffusion_forcing"});
    visit(uncertainty, {.key = "uncertainty",
                        .help = "of pyramid and trapezoid: steps between neighbours",
                        .unit = "steps",
                        .min = 0,
                        .max = 1000});
    visit(context, {.key = "context",
                    .help = "last clean frames, the history that a chunk sees",
                    .unit = "latent frames",
                    .min = 1,
                    .max = 1000});
    PromptOptions::describe(visit);
  }

  std::string problem() const {
    if (scheme == Scheme::temporal && subsequences.size() != weights.size()) {
      return cat("subsequences are ", subsequences.size(), ", weights ", weights.size(),
                 "; give each subsequence a weight");
    }
    return {};
  }

  forcing::HistoryScheme history() const {
    forcing::HistoryScheme made;
    made.drop_condition = drop_condition && scheme != Scheme::conditional;
    const forcing::HistorySegment whole{.start_if_made = stabilisation};
    auto strong = whole;
    strong.weight = scale;
    if (scheme == Scheme::conditional) made.segments = {whole};
    if (scheme == Scheme::vanilla) made.segments = {strong};
    if (scheme == Scheme::fractional) {
      made.segments = {whole, {.start = fraction, .start_if_made = fraction, .weight = scale - 1}};
    }
    if (scheme != Scheme::temporal) return made;
    for (std::size_t i = 0; i < subsequences.size(); ++i) {
      made.segments.push_back({.frames = forcing::frame_indices(subsequences[i], "subsequences"),
                               .start_if_made = stabilisation,
                               .weight = weights[i]});
    }
    for (const auto& part : parts) made.made.push_back(forcing::frame_indices(part, "parts"));
    return made;
  }
};

/// History guidance: chunks of frames, guided by how they look with and without their history.
///
/// Source: Song et al. 2025 (History-Guided Video Diffusion, DFoT). The README says what differs.
class HistoryGuidance final : public forcing::ForcingMethod {
 public:
  using Config = HistoryOptions;
  explicit HistoryGuidance(const Config& config)
      : ForcingMethod({.rows =
                           [kind = config.schedule, u = config.uncertainty](
                               std::int64_t steps, std::int64_t frames, std::int64_t ready,
                               std::int64_t window) {
                             return forcing::rows_of(forcing::level_matrix(kind, steps, frames, u),
                                                     ready, window);
                           },
                       .context = config.context,
                       .history = config.history()},
                      config) {}
};

}  // namespace

SVI_PLUGIN("history_guidance", "0.1.0", registrar) {
  registrar.add<Method, HistoryGuidance>(
      "history_guidance", "history guidance: vanilla, fractional, temporal, behind clean frames");
}
