#include "svi/method/chain.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

/// The film of a chain: its pieces are its clips.
class ChainFilm final : public Film {
 public:
  ChainFilm(const Studio& studio, const FilmRequest& request)
      : chain_(studio),
        script_(request.script),
        frames_(studio.shape.frames),
        clips_(request.clips),
        latent_(latent_sizes(studio)),
        continued_(request.before.defined()) {
    state_.anchor = request.image;
    if (!continued_) return;
    const auto m = chain_.method().plan(0).motion_frames;
    const auto T = request.before.size(2);
    if (T < m) {
      raise<ConfigError>("the film goes on from ", T, " frames, but at least ", m,
                         " are needed, the motion frames of [method]");
    }
    state_.last_frames = request.before.narrow(2, T - m, m);
  }

 private:
  std::optional<Piece> do_upcoming() const override {
    if (state_.clip >= clips_) return std::nullopt;
    const auto clip = state_.clip;
    const auto plan = chain_.method().plan(clip);
    const bool first = script_.cut(clip) || (clip == 0 && !continued_);
    const auto shown = shown_frames(plan, frames_, first, script_.cut(clip + 1));
    const auto ending = shown_frames(plan, frames_, first, true).count - shown.count;
    return Piece{.number = clip,
                 .place = clip,
                 .first_frame = first_frame_,
                 .decoded = frames_,
                 .skipped = shown.first,
                 .frames = shown.count,
                 .ending = ending,
                 .tail = chain_.method().plan(clip + 1).motion_frames,
                 .prompts = script_.prompts(clip)};
  }

  at::Tensor do_make(const OnStep& on_step) override {
    auto state = state_;
    if (script_.cut(state.clip)) begin_scene(state);
    const auto piece = *do_upcoming();
    state.tracks = script_.tracks(piece.first_frame - piece.skipped, frames_);
    const auto made = chain_.next(state, script_.prompts(state.clip),
                                  script_.noise(state.clip, latent_), on_step);
    count(made.evaluations);
    return made.latent;
  }

  void do_accept(const at::Tensor& latent, const at::Tensor& tail) override {
    first_frame_ += do_upcoming()->frames;
    if (script_.cut(state_.clip)) begin_scene(state_);
    state_.last_frames = tail;
    state_.last_latent = latent;
    ++state_.clip;
  }

  void begin_scene(ChainState& state) const {
    state.anchor = script_.image(state.clip);
    state.last_frames = state.last_latent = at::Tensor();
  }

  ClipChain chain_;
  const Script& script_;
  std::int64_t frames_, clips_;
  std::vector<std::int64_t> latent_;
  bool continued_;
  ChainState state_;
  std::int64_t first_frame_ = 0;
};

}  // namespace

ShownFrames shown_frames(const ClipPlan& plan, std::int64_t frames, bool first, bool last) {
  const auto m = plan.motion_frames;
  const auto skip = plan.stitch == Stitch::drop_head && !first ? m : 0;
  const auto end = plan.stitch == Stitch::drop_tail && !last ? frames - m : frames;
  return {skip, end - skip};
}

std::int64_t chain_frames(std::int64_t clips, std::int64_t frames, std::int64_t motion_frames) {
  return clips * (frames - motion_frames) + motion_frames;
}

ClipPlan ChainMethod::plan(std::int64_t clip) const {
  SVI_CHECK(clip >= 0, "clip ", clip);
  const auto plan = do_plan(clip);
  SVI_CHECK(plan.motion_frames >= 1, "a clip is conditioned on at least one frame, got ",
            plan.motion_frames);
  return plan;
}

std::int64_t ChainMethod::shown_before(std::int64_t frames) const {
  const auto first = plan(0);
  return first.stitch == Stitch::drop_tail ? frames - first.motion_frames : frames;
}

void ChainMethod::do_check(const ClipShape& shape, std::int64_t stride, const Sampler&) const {
  const auto here = plan(1);
  const auto m = here.motion_frames;
  if (here.condition.layout == ConditionLayout::anchor_first) {
    if (m <= stride || (m - 1) % stride != 0) {
      const auto below = std::max<std::int64_t>((m - 1) / stride, 1) * stride + 1;
      raise<ConfigError>(
          "[method] motion_frames = ", m, ": behind the anchor stand whole latents, ",
          "so with layout = anchor_first it is ", stride, " k + 1; the nearest: ", below);
    }
    if (here.stitch != Stitch::drop_head) {
      raise<ConfigError>("[method] layout = anchor_first draws the anchor and the motion again at ",
                         "the head of a clip; set stitch = drop_head");
    }
  }
  if (m < shape.frames) return;
  const auto longer = (m - 1) / stride * stride + 1 + stride;  // stride k + 1 > m
  const auto fewer =
      shape.frames > 1 ? cat("motion_frames = ", shape.frames - 1, ", or ") : std::string();
  raise<ConfigError>("[method] motion_frames = ", m, " leaves nothing to generate in a clip of ",
                     shape.frames, " frames; the nearest that works: ", fewer, "clips of ", longer,
                     " frames");
}

std::unique_ptr<Film> ChainMethod::do_begin(const Studio& studio,
                                            const FilmRequest& request) const {
  return std::make_unique<ChainFilm>(studio, request);
}

std::int64_t ChainMethod::do_frames(const ClipShape& shape, std::int64_t clips,
                                    const Script* script, bool continued) const {
  if (!script && !continued) return chain_frames(clips, shape.frames, plan(1).motion_frames);
  const auto cut = [&](std::int64_t clip) { return script && script->cut(clip); };
  std::int64_t sum = 0;
  for (std::int64_t clip = 0; clip < clips; ++clip) {
    const bool first = cut(clip) || (clip == 0 && !continued);
    const bool last = clip + 1 == clips || cut(clip + 1);
    sum += shown_frames(plan(clip), shape.frames, first, last).count;
  }
  return sum;
}

}  // namespace svi
