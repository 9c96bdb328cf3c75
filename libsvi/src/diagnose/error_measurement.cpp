#include "error_measurement.hpp"

#include <ATen/ATen.h>

#include <limits>

#include "svi/diagnose/spectrum.hpp"
#include "svi/model/flow_schedule.hpp"

namespace svi {
namespace {

at::Tensor to_double(const at::Tensor& tensor) { return tensor.to(at::kCPU, at::kDouble); }

/// The rows of scenes whose truth is known.
at::Tensor known_rows(const at::Tensor& tensor, const std::vector<bool>& known,
                      std::int64_t first = 0) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < tensor.size(0); ++i) {
    if (known[static_cast<std::size_t>(first + i)]) rows.push_back(i);
  }
  return tensor.index_select(0, at::tensor(rows, at::kLong).to(tensor.device()));
}

/// Sums over scenes of one flow time's errors.
struct Sums {
  std::int64_t scenes = 0;
  at::Tensor error;   // [C, F, h, w]
  at::Tensor square;  // [C, F, h, w]
  at::Tensor pixels;  // [H, W]  mean over channels and frames
  at::Tensor powers;  // [K]     mean over channels and frames

  /// error [n, C, F, h, w], in pixels [n, 3, T, H, W]
  void add(const at::Tensor& latent, const at::Tensor& decoded) {
    if (latent.size(0) == 0) return;
    const auto put = [&](at::Tensor& sum, const at::Tensor& values) {
      sum = sum.defined() ? sum + values : values;
    };
    scenes += latent.size(0);
    put(error, latent.sum(0));
    put(square, latent.square().sum(0));
    put(pixels, decoded.square().flatten(1, 2).mean(1).sum(0));
    put(powers, radial_power(decoded).flatten(1, 2).mean(1).sum(0));
  }
};

/// NaN of the sizes that the tables have.
OneStepErrors unknown_errors(const DiagnosticView& view, std::int64_t S) {
  const auto nan = [](std::vector<std::int64_t> sizes) {
    return at::full(sizes, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  };
  const auto stride = view.studio.vae.config().spatial_stride();
  const auto H = view.studio.shape.height, W = view.studio.shape.width;
  return {nan({S, view.studio.vae.latent_frames(view.studio.shape.frames)}),
          nan({S, H / stride, W / stride}), nan({S}), nan({S, H, W}), nan({S, radial_bands(H, W)})};
}

/// The part of the next clip's condition that the handed frames are.
at::Tensor condition_of(const DiagnosticView& view, const ClipChain& chain,
                        const ClipStart& start) {
  const auto s = view.studio.vae.config().temporal_stride();
  const auto frames = (start.motion.size(2) - 1) / s + 1;
  return chain.condition(start)[part::kImage]
      .narrow(1, s, view.studio.vae.config().z_dim)
      .narrow(2, 0, frames);
}

}  // namespace

OneStepErrors one_step_errors(const ErrorMap::Config& config, const DiagnosticView& view,
                              const HeldOutClips& clips, std::uint64_t seed,
                              const Advance& advance) {
  const auto S = static_cast<std::int64_t>(config.sigmas.size());
  const ClipChain chain(view.studio, "[diagnostic.error_map]");
  std::vector<Sums> sums(config.sigmas.size());
  for (std::int64_t first = 0; first < clips.count(); first += config.batch) {
    const auto size = std::min(config.batch, clips.count() - first);
    const auto clean = view.studio.vae.encode(clips.truth.narrow(0, first, size));
    const auto shown = view.studio.vae.decode(clean).clamp(-1, 1);
    const auto condition = chain.condition(rows(clips.start, first, size));
    const auto noise = clip_noise(view, clips, first, size, seed, 0);  // of all flow times
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const auto sigma = at::full({size}, config.sigmas[i], clean.options());
      const auto noisy = add_noise(clean, noise, sigma);
      const auto velocity =
          view.studio.model.velocity(noisy, sigma * 1000, condition).to(at::kFloat);
      const auto error = (velocity - target_velocity(clean, noise)) * -config.sigmas[i];
      const auto decoded = (view.studio.vae.decode(clean + error).clamp(-1, 1) - shown) * 0.5;
      sums[i].add(to_double(known_rows(error, clips.known, first)),
                  to_double(known_rows(decoded, clips.known, first)));
      advance(size);
    }
  }
  auto errors = unknown_errors(view, S);
  for (std::int64_t i = 0; i < S; ++i) {
    const auto& sum = sums[static_cast<std::size_t>(i)];
    if (sum.scenes == 0) continue;
    const auto count = static_cast<double>(sum.scenes);
    errors.by_frame[i] = (sum.square.mean({0, 2, 3}) / count).sqrt();
    errors.by_place[i] = (sum.square.flatten(0, 1).mean(0) / count).sqrt();
    errors.mean_error[i] = (sum.error / count).square().mean().sqrt();
    errors.by_pixel[i] = (sum.pixels / count).sqrt();
    errors.spectrum[i] = sum.powers / count;
  }
  return errors;
}

DriftErrors drift_errors(const ErrorMap::Config& config, const DiagnosticView& view,
                         const std::vector<Scene>& scenes, const Advance& advance) {
  const auto wanted = ErrorMap::measured_clips(config);
  const auto D = static_cast<std::int64_t>(wanted.size());
  const auto H = view.studio.shape.height, W = view.studio.shape.width,
             T = view.studio.shape.frames;
  const auto m = motion_frames(view);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  DriftErrors errors{at::full({D}, nan, at::kDouble), at::full({D, H, W}, nan, at::kDouble),
                     at::full({D, radial_bands(H, W)}, nan, at::kDouble)};
  const auto studio = with_clips(view.studio, config.clips);
  const ClipChain chain(studio, "[diagnostic.error_map]");
  std::vector<at::Tensor> anchors;
  for (const auto& scene : scenes) anchors.push_back(scene.image);
  const auto anchor = at::stack(anchors);

  roll_out(studio, scenes, [&](const RolledClip& rolled) {
    advance(static_cast<std::int64_t>(scenes.size()));
    const auto place = std::find(wanted.begin(), wanted.end(), rolled.clip);
    if (place == wanted.end()) return;
    const auto row = place - wanted.begin();
    std::vector<bool> known;
    const auto truth = true_frames(view, scenes, rolled.clip * (T - m), T, known);
    if (std::find(known.begin(), known.end(), true) == known.end()) return;
    const auto last = rolled.video.narrow(2, T - m, m), right = truth.narrow(2, T - m, m);
    const auto error = to_double(known_rows((last - right) * 0.5, known));  // [n, 3, m, H, W]
    errors.by_pixel[row] = error.square().flatten(0, 2).mean(0).sqrt();
    errors.spectrum[row] = radial_power(error).flatten(0, 2).mean(0);
    at::Tensor carried;
    if (chain.hands_over_latents()) {
      carried = chain.handed_over(last, rolled.latent) -
                chain.handed_over(right, view.studio.vae.encode(truth));
    } else {
      carried = condition_of(view, chain, {last, anchor, rolled.prompts}) -
                condition_of(view, chain, {right, anchor, rolled.prompts});
    }
    errors.condition[row] = to_double(known_rows(carried, known)).square().mean().sqrt();
  });
  return errors;
}

}  // namespace svi
