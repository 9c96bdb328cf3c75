#include "svi/variant/motion.hpp"

#include "svi/core/check.hpp"

namespace svi {

void check_motion(const ClipPlan& plan, std::int64_t frames, std::int64_t stride) {
  const auto m = plan.motion_frames;
  if (m < frames) return;
  const auto longer = (m - 1) / stride * stride + 1 + stride;  // stride k + 1 > m
  const auto fewer = frames > 1 ? cat("motion_frames = ", frames - 1, ", or ") : std::string();
  raise<ConfigError>("[variant] motion_frames = ", m, " leaves nothing to generate in a clip of ",
                     frames, " frames; the nearest that works: ", fewer, "clips of ", longer,
                     " frames");
}

}  // namespace svi
