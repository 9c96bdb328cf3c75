#include <ATen/ATen.h>

#include <svi/core/check.hpp>
#include <svi/method/around.hpp>
#include <svi/plugin/plugin.hpp>

#include "moments.hpp"

namespace color_match {
namespace {

using namespace svi;

/// Where colours are matched.
enum class MatchAt { handover, seam };
std::vector<std::string> enum_names(MatchAt) { return {"handover", "seam"}; }

struct ColorMatchOptions : ChainOptions {
  MatchAt at = MatchAt::handover;
  Moments moments = Moments::covariance;
  double strength = 1;

  ColorMatchOptions() { prompts = PromptOrder::stream; }

  void describe(OptionVisitor& visit) {
    visit(at, {.key = "at",
               .help = "handover: the frames that condition the next clip get the colours of the "
                       "user's image; seam: each clip's latents get, in its first frames, the "
                       "moments of the frames it began from"});
    visit(moments, {.key = "moments",
                    .help = "what is matched: the mean of each channel, its mean and standard "
                            "deviation, or means and covariance"});
    visit(strength,
          {.key = "strength", .help = "how far of the way colours are moved", .min = 0, .max = 1});
    ChainOptions::describe(visit);
  }
};

class MatchedFilm final : public FilmAround {
 public:
  MatchedFilm(const ColorMatchOptions& options, std::unique_ptr<Film> inner, const Studio& studio,
              const FilmRequest& request)
      : FilmAround(std::move(inner)),
        options_(options),
        studio_(studio),
        script_(request.script),
        image_(request.image),
        tail_(request.before) {}

 private:
  at::Tensor do_make(const OnStep& on_step) override {
    const auto clip = upcoming()->place;
    const auto latent = make_inner(on_step);
    if (options_.at != MatchAt::seam) return latent;
    const bool begins = script_.cut(clip) || !tail_.defined();
    const auto image = script_.cut(clip) ? script_.image(clip) : image_;
    // The frames that the clip began from, encoded as its condition holds them.
    const auto m = begins ? 1 : options_.motion_frames;
    const auto frames =
        begins ? image.unsqueeze(2) : rounded(last_frames(m), studio_.rollout.rounding);
    const auto stride = studio_.vae.config().temporal_stride();
    const auto want = studio_.vae.encode(frames.narrow(2, 0, (m - 1) / stride * stride + 1));
    const auto have = latent.narrow(2, 0, want.size(2));
    return moved(latent, channel_map(have, want, options_.moments), options_.strength);
  }

  void do_accept(const at::Tensor& latent, const at::Tensor& tail) override {
    const auto clip = upcoming()->place;
    if (script_.cut(clip)) image_ = script_.image(clip);
    tail_ = tail;
    if (options_.at == MatchAt::handover && tail.defined() && tail.size(2) > 0) {
      const auto map = channel_map(tail, image_.unsqueeze(2), options_.moments);
      tail_ = moved(tail, map, options_.strength).clamp(-1, 1);
    }
    accept_inner(latent, tail_);
  }

  at::Tensor last_frames(std::int64_t count) const {
    return tail_.narrow(2, tail_.size(2) - count, count);
  }

  ColorMatchOptions options_;
  const Studio& studio_;
  const Script& script_;
  at::Tensor image_;  // [B, 3, H, W]     of the scene
  at::Tensor tail_;   // [B, 3, m, H, W]  what the next clip begins from; undefined before the first
};

/// A chain whose colours are held by matching moments at its seams.
class ColorMatch final : public ChainAround {
 public:
  using Config = ColorMatchOptions;
  explicit ColorMatch(const Config& config) : ChainAround(config), config_(config) {}

 private:
  void do_check(const ClipShape& shape, std::int64_t stride,
                const Sampler& sampler) const override {
    ChainAround::do_check(shape, stride, sampler);
    if (config_.at == MatchAt::handover && config_.handover == Handover::latent) {
      raise<ConfigError>(
          "[method] handover = latent hands on no frames whose colours at = handover ",
          "could match; set at = seam, or handover = pixels");
    }
    if (config_.at == MatchAt::seam && config_.layout == ConditionLayout::anchor_first) {
      raise<ConfigError>(
          "[method] at = seam compares a clip's first frames with those it began ",
          "from; with layout = anchor_first they are the anchor. Set layout = video");
    }
  }
  std::unique_ptr<Film> do_begin(const Studio& studio, const FilmRequest& request) const override {
    return std::make_unique<MatchedFilm>(config_, begin_inner(studio, request, studio.model),
                                         studio, request);
  }

  Config config_;
};

}  // namespace
}  // namespace color_match

SVI_PLUGIN("color_match", "0.1.0", registrar) {
  registrar.add<svi::Method, color_match::ColorMatch>(
      "color_match", "a chain whose colours are matched to its image or at its seams");
}
