#include "loop_measurement.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "svi/core/log.hpp"
#include "svi/core/random.hpp"
#include "svi/diagnose/directions.hpp"

namespace svi {
namespace {

constexpr std::uint64_t kLoopSalt = 0x6c6f6f70;  // "loop"
constexpr double kNoError = 1e-6;  // of the full range: rounding, no direction of its own

at::Tensor handed(const at::Tensor& frames) {  // [N, 3, m, H, W] in [-1, 1]
  return to_full_range(frames).transpose(1, 2);
}

at::Tensor last_frames(const at::Tensor& video, std::int64_t m) {  // [N, 3, T, H, W]
  return handed(video.narrow(2, video.size(2) - m, m));
}

/// <a, b> of each scene, [N].
at::Tensor product(const at::Tensor& a, const at::Tensor& b) { return (a * b).sum({1, 2, 3, 4}); }

std::vector<double> numbers(const at::Tensor& tensor) {
  const auto flat = tensor.contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

/// Adds the values of scenes whose truth is known, where there are any.
void append_known(std::vector<double>& values, const at::Tensor& all,
                  const std::vector<bool>& known) {
  const auto flat = numbers(all);
  for (std::size_t i = 0; i < flat.size(); ++i) {
    if (known[i] && std::isfinite(flat[i])) values.push_back(flat[i]);
  }
}

double mean_of(const std::vector<double>& values) {
  if (values.empty()) return kNan;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation_of(const std::vector<double>& values) {
  if (values.size() < 2) return kNan;
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

}  // namespace

LoopMeasurement::LoopMeasurement(const LoopGain::Config& config, const DiagnosticView& view)
    : config_(config),
      view_(view),
      seed_(derive_seed(static_cast<std::uint64_t>(view.studio.rollout.seed), kLoopSalt)),
      m_(motion_frames(view)),
      studio_(with_clips(view.studio, config.clips)),
      chain_(studio_, "[diagnostic.loop_gain]"),
      clips_(held_out_clips(view, config.scenes, config.moments, seed_, "diagnostic.loop_gain")),
      start_(handed(clips_.start.motion)),
      truth_(last_frames(clips_.truth, m_)) {
  const auto damaged =
      static_cast<std::int64_t>(config_.directions.size() * config_.amplitudes.size());
  total_ = clips_.count() * (config_.noises + config_.clips + damaged);
  for (std::int64_t draw = 0; draw < config_.noises; ++draw)
    plain_.push_back(generate(clips_.start.motion, draw));
  for (std::int64_t i = 0; i < clips_.count(); ++i) {
    if (!clips_.known[static_cast<std::size_t>(i)]) truth_[i].copy_(plain_[0][i]);
  }
  if (!clips_.any_known()) {
    SVI_WARN("loop_gain",
             "[data] does not know the truth of the held-out scenes, so bias, fresh error and the "
             "errors of chains are NaN");
  }
  measure_mean_error();
}

at::Tensor LoopMeasurement::pattern(const std::string& direction, const at::Tensor& frames) const {
  return direction == kModelMean ? mean_error_ : damage_pattern(direction, frames, seed_);
}

at::Tensor LoopMeasurement::generate(const at::Tensor& motion, std::int64_t draw) {
  const ClipStart all{motion, clips_.start.anchor, clips_.start.prompts, clips_.start.tracks};
  std::vector<at::Tensor> made;
  for (std::int64_t first = 0; first < clips_.count(); first += config_.batch) {
    const auto size = std::min(config_.batch, clips_.count() - first);
    const auto noise = clip_noise(view_, clips_, first, size, seed_, draw);
    const auto latent = chain_.clip_after(rows(all, first, size), noise);
    made.push_back(last_frames(view_.studio.vae.decode(latent).clamp(-1, 1), m_));
    advance(size);
  }
  return at::cat(made);
}

DamageResponse LoopMeasurement::respond(const std::string& direction) {
  const auto p = pattern(direction, start_), q = pattern(direction, truth_);
  if (!p.defined()) {
    advance(clips_.count() * static_cast<std::int64_t>(config_.amplitudes.size()));
    return {{}, {}, {}, kNan};
  }
  double strongest = 0;
  for (const double a : config_.amplitudes) strongest = std::max(strongest, std::abs(a));
  // The pattern of blur is a whole blur, which is what the strongest amplitude stands for.
  const double scale = direction == "blur" ? 1 / strongest : 1;
  const auto sums = at::zeros({5, clips_.count()}, at::kDouble);
  auto xx = sums[0], xy = sums[1], damage_square = sums[2], total = sums[3], residual = sums[4];
  double largest = 0;
  for (const double a : config_.amplitudes) {
    // No film has pixels out of range, so what counts is the damage that is left after clipping.
    const auto damaged = (start_ + p * (a * scale)).clamp(0, 1);
    const auto damage = damaged - start_;
    const auto motion = (damaged.transpose(1, 2) * 2 - 1).to(clips_.start.motion.options());
    const auto change = generate(motion, 0) - plain_[0];
    const auto x = product(damage, p) / product(p, p), y = product(change, q) / product(q, q);
    xx += x * x;
    xy += x * y;
    damage_square += product(damage, damage);
    total += product(change, change);
    residual += product(change, change) - y * y * product(q, q);
    largest = std::max(largest, damage.square().mean().sqrt().item<double>());
  }
  return {numbers(xy / xx), numbers(total / damage_square), numbers(residual / damage_square),
          largest};
}

FreshError LoopMeasurement::fresh(const std::string& direction) const {
  const auto q = pattern(direction, truth_);
  if (!q.defined()) return {1, kNan, kNan, kNan, kNan};
  const double unit = q.square().mean().sqrt().item<double>();
  std::vector<at::Tensor> draws;
  for (const auto& plain : plain_) draws.push_back(product(plain - truth_, q) / product(q, q));
  const auto errors = at::stack(draws);  // [noises, N]
  std::vector<double> all, own, within;
  for (const auto& draw : draws) append_known(all, draw, clips_.known);
  append_known(own, errors.mean(0), clips_.known);
  if (config_.noises > 1) append_known(within, errors.var(0, /*unbiased=*/true), clips_.known);
  // A scene's mean over few noises holds some of their chance, too.
  const double noise = mean_of(within), between = deviation_of(own);
  const double chance = noise / static_cast<double>(config_.noises);
  const double scene = std::sqrt(std::max(between * between - chance, 0.0));
  const bool told_apart = std::isfinite(noise) && std::isfinite(between);
  return {unit, mean_of(all) * unit, deviation_of(all) * unit, told_apart ? scene * unit : kNan,
          std::sqrt(noise) * unit};
}

at::Tensor LoopMeasurement::chain_rms() {
  const auto rms = at::full({static_cast<std::int64_t>(config_.directions.size()), config_.clips},
                            kNan, at::kDouble);
  const auto fresh_frames = view_.studio.shape.frames - m_;
  roll_out(studio_, clips_.scenes, [&](const RolledClip& rolled) {
    std::vector<bool> known;
    const auto truth =
        handed(true_frames(view_, clips_.scenes, (rolled.clip + 1) * fresh_frames, m_, known));
    const auto error = last_frames(rolled.video, m_) - truth;
    for (std::size_t d = 0; d < config_.directions.size(); ++d) {
      const auto q = pattern(config_.directions[d], truth);
      if (!q.defined()) continue;
      std::vector<double> squares;
      append_known(squares, (product(error, q) / product(q, q)).square(), known);
      rms[static_cast<std::int64_t>(d)][rolled.clip] = std::sqrt(mean_of(squares));
    }
    advance(clips_.count());
  });
  return rms;
}

/// For each scene the mean error of the *other* scenes' clips, at an RMS of 1: with its own error
/// in the mean, chance alone would look like a bias.
void LoopMeasurement::measure_mean_error() {
  auto own = at::zeros_like(truth_);
  for (const auto& plain : plain_) own += plain - truth_;
  std::int64_t known = 0;
  for (std::int64_t i = 0; i < clips_.count(); ++i) {
    if (clips_.known[static_cast<std::size_t>(i)]) {
      ++known;
    } else {
      own[i].zero_();
    }
  }
  const auto sum = own.sum({0}, true).expand_as(own);
  const auto others = known > 1 ? sum - own : sum;
  const auto size = others.square().mean({1, 2, 3, 4}, true).sqrt();  // times known clips
  const auto clips = std::max<std::int64_t>(known - 1, 1) * config_.noises;
  if (size.max().item<double>() < kNoError * static_cast<double>(clips)) return;
  mean_error_ = at::nan_to_num(others / size);  // a scene without it drops out
}

void LoopMeasurement::advance(std::int64_t clips) {
  done_ += clips;
  if (view_.progress) view_.progress(done_, total_);
}

}  // namespace svi
