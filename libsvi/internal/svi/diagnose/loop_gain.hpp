#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/diagnose/diagnostic.hpp"

namespace svi {

/// Why a chain drifts, and how far it will: along one direction of appearance, a clip maps the
/// deviation e of the frames it starts from to that of the frames it hands on,
///
///     e' = g e + b + s noise,
///
/// so that a chain ends at the bias b / (1 - g) with the spread s / sqrt(1 - g²). Measures loop
/// gain g, bias b and fresh error s for chosen directions of damage, predicts the error after each
/// clip of a chain from them, and puts the error of real chains beside it.
///
/// A frame's deviation along a direction is <deviation, p> / <p, p> with the direction's pattern p
/// *at that frame* (damage_pattern), times the pattern's RMS: units of the full range. To measure
/// g, true frames x at a random moment are replaced by x + a p, clipped to the range of pixels, one
/// clip is generated with the same noise as without the damage, and the change of its last frames
/// is regressed on the damage over the amplitudes a; the mean over scenes is reported. With b and s
/// the undamaged clips' last frames are compared to the truth, which is why they are NaN where it
/// is not known. Where m frames are handed over, all of them are damaged and compared.
///
/// Of the spread s over scenes and noises, some may be each scene's own and come back in each clip;
/// it then adds up like a bias. Both predictions are given: all of it fresh each time, or a scene's
/// own part always the same. Real chains lie between them as long as the loop is linear and
/// directions do not feed each other.
class SVI_EXPORT LoopGain final : public Diagnostic {
 public:
  struct SVI_EXPORT Config {  // The options; docs/options.md lists them.
    std::vector<std::string> directions = {"brightness", "tint", "low_frequency", "blocks",
                                           "noise",      "blur", "model_mean"};
    std::vector<double> amplitudes = {-0.1, -0.05, 0.05, 0.1};
    std::int64_t scenes = 16;
    std::int64_t noises = 4;
    std::int64_t moments = 100;
    std::int64_t clips = 20;
    std::int64_t batch = 8;

    void describe(OptionVisitor& visit);
    std::string problem() const;
  };

  explicit LoopGain(Config config) : config_(std::move(config)) {}

 private:
  DiagnosticReport do_run(const DiagnosticView& view) const override;

  Config config_;
};

/// RMS deviation after clips 1 .. `clips` of a chain that starts without error: mean
/// m' = g m + b, variance v' = g² v + s², and the deviation d' = g d + t of what is a scene's own
/// and the same in each clip; RMS sqrt(m² + d² + v).
SVI_EXPORT std::vector<double> predicted_rms(double gain, double bias, double fresh,
                                             std::int64_t clips, double scene_bias = 0);

/// Where predicted_rms() ends: sqrt((b / (1 - g))² + s² / (1 - g²)); infinite where |g| >= 1 and
/// there is any error at all.
SVI_EXPORT double limit_rms(double gain, double bias, double fresh);

}  // namespace svi
