#include "svi/metric/builtins.hpp"

#include "svi/metric/psnr.hpp"
#include "svi/metric/ssim.hpp"
#include "svi/metric/temporal.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

void register_metric(Registrar& registrar) {
  registrar.add<Metric, PsnrMetric>("psnr", "peak signal-to-noise ratio to the truth");
  registrar.add<Metric, SsimMetric>("ssim",
                                    "structural similarity to the truth, on RGB and on luma");
  registrar.add<Metric, TemporalFlickerMetric>("temporal_flicker",
                                               "steadiness from frame to frame");
  registrar.add<Metric, SeamJumpMetric>("seam_jump", "jump at the seam between clips");
  registrar.add<Metric, MotionMetric>("motion", "amount of motion relative to the truth");
}

}  // namespace svi
