#include <ATen/ATen.h>

#include <cmath>
#include <svi/core/check.hpp>
#include <svi/method/around.hpp>
#include <svi/plugin/plugin.hpp>

namespace {

using namespace svi;

/// When the noise on a clip's known frames is drawn.
enum class FreshNoise { step, clip };
std::vector<std::string> enum_names(FreshNoise) { return {"step", "clip"}; }

struct NoiseAugmentationOptions : ChainOptions {
  double level = 0.02;
  FreshNoise fresh = FreshNoise::step;

  NoiseAugmentationOptions() { prompts = PromptOrder::stream; }

  void describe(OptionVisitor& visit) {
    visit(level, {.key = "level",
                  .help = "share a of noise in the latents of known frames, (1 - a) x + a noise",
                  .min = 0,
                  .max = 1});
    visit(fresh,
          {.key = "fresh",
           .help = "step: other noise in every step of the sampler, as in SkyReels-V2; clip: "
                   "one noise for the whole clip"});
    ChainOptions::describe(visit);
  }
};

/// The studio's model, told known frames with noise on them.
class NoisyCondition final : public VelocityModel {
 public:
  NoisyCondition(const VelocityModel& model, double level) : model_(model), level_(level) {}

  /// Of the next clip: noise [B, S, z, f, h, w] for its first f latent frames, in S steps.
  void begin_clip(at::Tensor noise) {
    noise_ = std::move(noise);
    step_ = -1;
    time_ = std::nan("");
  }

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    const auto time = timestep.max().item<double>();
    if (time != time_) ++step_;  // the passes of a step are told the same
    time_ = time;
    return model_.velocity(noisy, timestep, noised(condition));
  }
  std::string first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                               const Condition& condition) const override {
    return model_.first_non_finite(noisy, timestep, noised(condition));
  }

 private:
  Condition noised(const Condition& condition) const {
    const auto& y = condition[part::kImage];  // [B', s + z, F, h, w], B' = B or B per pass
    if (!y.defined() || !noise_.defined()) return condition;
    const auto z = noise_.size(2), f = noise_.size(3), s = y.size(1) - z;
    auto noise = noise_.select(1, step_ % noise_.size(1)).to(y.options());
    noise = noise.repeat({y.size(0) / noise.size(0), 1, 1, 1, 1});
    // Where the mask's first frame is 0, the image was left out, and there is nothing to noise.
    const auto share = level_ * y.narrow(1, 0, 1).narrow(2, 0, 1);  // [B', 1, 1, h, w]
    auto told = y.clone();
    const auto known = told.narrow(1, s, z).narrow(2, 0, f);
    known.copy_((1 - share) * known + share * noise);
    auto changed = condition;
    changed.set(part::kImage, told);
    return changed;
  }

  const VelocityModel& model_;
  double level_;
  at::Tensor noise_;
  mutable std::int64_t step_ = -1;
  mutable double time_ = 0;
};

/// The film of the chain, made with the model above.
class NoisyFilm final : public FilmAround {
 public:
  NoisyFilm(const NoiseAugmentationOptions& options, std::shared_ptr<NoisyCondition> model,
            std::unique_ptr<Film> inner, const Studio& studio, const FilmRequest& request)
      : FilmAround(std::move(inner)),
        options_(options),
        model_(std::move(model)),
        studio_(studio),
        script_(request.script),
        continued_(request.before.defined()) {}

 private:
  // Numbers of the draws, apart from those of clips.
  static constexpr std::int64_t kConditionNoise = 1'000'000'000;

  at::Tensor do_make(const OnStep& on_step) override {
    const auto clip = upcoming()->place;
    const bool first = script_.cut(clip) || (clip == 0 && !continued_);
    const auto m = first && !options_.repeat_first ? 1 : options_.motion_frames;
    const auto f = (m - 1) / studio_.vae.config().temporal_stride() + 1;
    const auto steps = options_.fresh == FreshNoise::step
                           ? static_cast<std::int64_t>(studio_.sampler.sigmas().size())
                           : 1;
    const auto sizes = latent_sizes(studio_);
    model_->begin_clip(
        script_.noise(kConditionNoise + clip, {steps, sizes[0], f, sizes[2], sizes[3]}));
    return make_inner(on_step);
  }

  NoiseAugmentationOptions options_;
  std::shared_ptr<NoisyCondition> model_;  // the inner film borrows it
  const Studio& studio_;
  const Script& script_;
  bool continued_;
};

/// A chain that noises the frames a clip begins from.
///
/// Source: Chen et al. 2025 (SkyReels-V2, addnoise_condition); the README says what differs.
class NoiseAugmentation final : public ChainAround {
 public:
  using Config = NoiseAugmentationOptions;
  explicit NoiseAugmentation(const Config& config) : ChainAround(config), config_(config) {}

 private:
  std::unique_ptr<Film> do_begin(const Studio& studio, const FilmRequest& request) const override {
    auto model = std::make_shared<NoisyCondition>(studio.model, config_.level);
    auto inner = begin_inner(studio, request, *model);
    return std::make_unique<NoisyFilm>(config_, std::move(model), std::move(inner), studio,
                                       request);
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("noise_augmentation", "0.1.0", registrar) {
  registrar.add<svi::Method, NoiseAugmentation>(
      "noise_augmentation", "a chain whose clips are told their first frames with noise on them");
}
