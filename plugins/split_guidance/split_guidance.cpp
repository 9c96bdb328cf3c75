#include <ATen/ATen.h>

#include <svi/core/check.hpp>
#include <svi/guidance/guidance.hpp>
#include <svi/plugin/plugin.hpp>
#include <vector>

namespace {

/// Guidance with a scale for the image and one for the text, in three passes: told nothing, told
/// the image alone, told both. v = v_nothing + image_scale (v_image - v_nothing)
/// + text_scale (v_both - v_image).
///
/// Source: Brooks, Holynski and Efros 2023 (InstructPix2Pix), eq. 3, for velocities. "No image" is
/// what `[training] image_drop` shows in training: zeros in place of the condition and of the CLIP
/// tokens. "No text" is the negative condition's.
class SplitGuidance final : public svi::Guidance {
 public:
  struct Config {
    double image_scale = 1.5;
    double text_scale = 5;

    void describe(svi::OptionVisitor& visit) {
      visit(image_scale,
            {.key = "image_scale", .help = "weight of the condition image", .min = 0, .max = 100});
      visit(text_scale,
            {.key = "text_scale", .help = "weight of the prompt", .min = 0, .max = 100});
    }
  };

  explicit SplitGuidance(Config config) : config_(config) {}

 private:
  std::vector<svi::GuidancePass> do_passes(const svi::GuidanceStep&, const svi::Condition& positive,
                                           const svi::Condition& negative) const override {
    SVI_CHECK(positive.has(svi::part::kImage), "split guidance needs an image condition");
    SVI_CHECK(!negative.empty(), "split guidance needs a negative condition");
    auto nothing = negative;
    for (const auto& part : {svi::part::kImage, svi::part::kClip})
      if (negative.has(part)) nothing.set(part, at::zeros_like(negative[part]));
    // v_nothing + s_i (v_image - v_nothing) + s_t (v_both - v_image), as weights of differences to
    // the first pass.
    return {{"unconditional", nothing},
            {"image", negative, config_.image_scale - config_.text_scale},
            {"image and text", positive, config_.text_scale}};
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("split_guidance", "0.1.0", registrar) {
  registrar.add<svi::Guidance, SplitGuidance>("split",
                                              "a scale for the image and one for the text, three "
                                              "passes a step");
}
