#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/random.hpp"
#include "svi/injection/injection_policy.hpp"

namespace svi {

/// How the factor on a recalled error is drawn.
enum class ScaleKind { constant, uniform, log_uniform };
SVI_EXPORT std::vector<std::string> enum_names(ScaleKind);

/// Which latent frames of a banked error hit the condition.
enum class ImagePlace { last, uniform };
SVI_EXPORT std::vector<std::string> enum_names(ImagePlace);

SVI_EXPORT std::vector<std::string> enum_names(RecallScope);

/// The distribution of one target's scale.
struct SVI_EXPORT ScaleRange {
  ScaleKind kind = ScaleKind::constant;
  double low = 1;   // the constant, or the lower end
  double high = 1;  // the upper end

  void describe(OptionVisitor& visit, const std::string& target);  // "noise", "latent" or "image"
  std::string problem(const std::string& target) const;            // empty if all is right
  /// Draws with number 1 of the sequence `key`; number 0 is the modulation's.
  double draw(const RandomKey& key) const;
};

/// Independent probabilities for the three targets under one clean switch, as the reference draws
/// them (Li et al. 2025; order r_n, r_y, r_x, r_c). Each draw has its own purpose, so that
/// switching one target off leaves the others' decisions as they were. Defaults are SVI-Shot's.
class SVI_EXPORT BernoulliInjection final : public InjectionPolicy {
 public:
  struct Config {
    double noise_probability = 0.01;
    double latent_probability = 0.9;
    double image_probability = 0.9;
    double clean_probability = 0.2;
    ScaleRange noise_scale = {}, latent_scale = {}, image_scale = {};  // factors on the error
    double modulation = 0;
    std::int64_t image_frames = 3;
    ImagePlace image_place = ImagePlace::uniform;
    RecallScope image_scope = RecallScope::all_bins;
    double image_sigma_low = 0;
    double image_sigma_high = 1;
    ErrorStructure structure = ErrorStructure::intact;

    void describe(OptionVisitor& visit);
    std::string problem() const;
  };

  explicit BernoulliInjection(Config config) : config_(config) {}

 private:
  Injection do_draw(const SampleView& sample) const override;

  Config config_;
};

}  // namespace svi
