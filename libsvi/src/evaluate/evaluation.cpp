#include "svi/evaluate/evaluation.hpp"

#include <ATen/ATen.h>

namespace svi {
namespace {

at::Tensor to_unit(const at::Tensor& frames) { return (frames + 1) * 0.5; }  // [-1, 1] to [0, 1]

/// The films of a rollout, side by side.
class RolledFilms final : public FilmSource {
 public:
  RolledFilms(const Studio& studio, const ClipSource& source, const std::vector<Scene>& scenes,
              const std::function<void(const RolledClip&)>& on_rolled)
      : studio_(studio),
        source_(source),
        scenes_(scenes),
        on_rolled_(on_rolled),
        frames_(studio.method.frames(studio.shape, studio.rollout.clips)) {}

  std::int64_t films() const override { return static_cast<std::int64_t>(scenes_.size()); }
  void run(const std::function<void(std::int64_t, const ClipView&)>& on_clip) override {
    roll_out(studio_, scenes_, [&](const RolledClip& rolled) {
      for (std::int64_t s = 0; s < films(); ++s) {
        const auto index = static_cast<std::size_t>(s);
        const auto frames = to_unit(rolled.frames[s]).cpu();  // [3, T', H, W]
        at::Tensor truth;
        if (auto known = source_.truth(scenes_[index].index, rolled.first_frame, frames.size(1),
                                       studio_.shape)) {
          truth = to_unit(*known);
        }
        on_clip(s, {rolled.clip,
                    rolled.first_frame,
                    frames,
                    truth,
                    rolled.prompts[index],
                    studio_.shape.fps,
                    {},
                    frames_});
      }
      if (on_rolled_) on_rolled_(rolled);
    });
  }

 private:
  const Studio& studio_;
  const ClipSource& source_;
  const std::vector<Scene>& scenes_;
  const std::function<void(const RolledClip&)>& on_rolled_;
  std::int64_t frames_;  // of each film
};

}  // namespace

Evaluation::Evaluation(const Studio& studio, const ClipSource& source,
                       const std::vector<std::unique_ptr<Metric>>& metrics)
    : studio_(studio), source_(source), metrics_(metrics) {}

FilmScores Evaluation::run(const std::vector<Scene>& scenes,
                           const std::function<void(const RolledClip&)>& on_clip) const {
  RolledFilms films(studio_, source_, scenes, on_clip);
  const auto clips = studio_.rollout.clips;
  return measure_films(films, metrics_, clips, studio_.method.frames(studio_.shape, clips));
}

}  // namespace svi
