#include <ATen/ATen.h>

#include <svi/core/check.hpp>
#include <svi/plugin/plugin.hpp>

#include "windowed_film.hpp"

namespace {

using namespace svi;

struct BlendingOptions : windows::WindowOptions {
  std::int64_t overlap = 0;

  void describe(OptionVisitor& visit) {
    visit(overlap,
          {.key = "overlap",
           .help = "latent frames that neighbouring windows share; 0: a third of the window",
           .unit = "latent frames",
           .min = 0,
           .max = 1000});
    WindowOptions::describe(visit);
  }

  std::int64_t overlap_of(std::int64_t frames) const {
    return overlap > 0 ? overlap : std::max<std::int64_t>(frames / 3, 1);
  }
  void check_window_length(std::int64_t frames) const {
    if (overlap_of(frames) < frames) return;
    raise<ConfigError>("[method] overlap = ", overlap_of(frames), ": windows have ", frames,
                       " latent frames; set overlap below that");
  }
};

class BlendedFilm final : public windows::WindowedFilm {
 public:
  BlendedFilm(const BlendingOptions& options, std::int64_t window, const Studio& studio,
              const FilmRequest& request)
      : WindowedFilm(options, window, window - options.overlap_of(window), studio, request),
        overlap_(options.overlap_of(window)) {}

 private:
  at::Tensor start() const override { return clip_noise(film_frames()); }

  /// In each step every window but the first begins to write at a random frame of its overlap: of
  /// as many random numbers the place of the largest.
  at::Tensor shares_in(std::int64_t step) const override {
    const auto V = static_cast<std::int64_t>(firsts().size());
    auto begins = draw(step, {V, overlap_}).argmax(2);  // [B, V] in 0 .. overlap - 1
    begins.select(1, 0).zero_();
    return windows::last_writer(begins, firsts(), window(), film_frames());
  }

  std::int64_t overlap_;
};

/// The randomised blending of StreamingT2V, without its trained branches.
///
/// Source: Henschel et al. 2025 (StreamingT2V, CVPR 2025), section 4.3; the README says what
/// differs.
using RandomisedBlending = windows::WindowedMethodOf<BlendingOptions, BlendedFilm>;

}  // namespace

SVI_PLUGIN("streaming_t2v", "0.1.0", registrar) {
  registrar.add<svi::Method, RandomisedBlending>(
      "streaming_t2v", "randomised blending of StreamingT2V: windows whose seams move");
}
