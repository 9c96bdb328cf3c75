#include "svi/variant/variant.hpp"

#include "svi/core/check.hpp"

namespace svi {

Variant::~Variant() = default;

ClipPlan Variant::plan(std::int64_t clip, std::int64_t prompts) const {
  SVI_CHECK(clip >= 0 && prompts >= 1, "clip ", clip, " of a scene with ", prompts, " prompts");
  const auto plan = do_plan(clip, prompts);
  SVI_CHECK(plan.motion_frames >= 1, "a clip is conditioned on at least one frame, got ",
            plan.motion_frames);
  SVI_CHECK(plan.prompt_index >= 0 && plan.prompt_index < prompts, "prompt ", plan.prompt_index,
            " of ", prompts);
  return plan;
}

}  // namespace svi
