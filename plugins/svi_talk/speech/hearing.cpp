#include "speech/hearing.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "speech/features.hpp"
#include "speech/loudness.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/sha256.hpp"
#include "svi/io/sound.hpp"

namespace svi::speech {
namespace {

constexpr double kContext = 4;           // seconds on both sides of a piece
constexpr float kNothing = 1e-3F;        // of full scale
constexpr double kRounding = 0.05;       // of a frame: samples that resampling adds
constexpr std::int64_t kMostBands = 32;  // more would be empty
constexpr double kTaughtFps = 25;        // of the official layers

std::string short_hash(const at::Tensor& samples) {
  return sha256_hex({static_cast<const char*>(samples.const_data_ptr()), samples.nbytes()})
      .substr(0, 16);
}

std::int64_t frames_in(double seconds, double fps) {
  return static_cast<std::int64_t>(std::ceil(seconds * fps));
}

}  // namespace

Hearing::Hearing(HearingRules rules) : rules_(std::move(rules)) {}
Hearing::~Hearing() = default;

/// Opens it where there is one and it is not open.
void Hearing::need_encoder() const {
  if (rules_.encoder.empty()) {
    if (rules_.layers == 1 && rules_.dim >= 2 && rules_.dim <= kMostBands) return;
    raise<ConfigError>(rules_.owner, " encoder is missing: these layers hear ", rules_.layers,
                       " states of ", rules_.dim,
                       " values; give the folder of the speech encoder, such as "
                       "chinese-wav2vec2-base of TencentGameMate");
  }
  if (encoder_) return;
  auto encoder = std::make_unique<Wav2Vec2>(open_wav2vec2(rules_.encoder));
  const auto& has = encoder->config();
  if (has.layers != rules_.layers || has.dim != rules_.dim) {
    raise<ConfigError>(rules_.owner, " encoder = ", rules_.encoder, ": gives ", has.layers,
                       " states of ", has.dim, " values; these layers hear ", rules_.layers, " of ",
                       rules_.dim);
  }
  encoder_hash_ = sha256_file(wav2vec2_file(rules_.encoder)).substr(0, 16);
  encoder_ = std::move(encoder);
}

/// [T, layers, dim] of samples [N] that fill T frames.
at::Tensor Hearing::features(const at::Tensor& samples, double fps, std::int64_t frames) const {
  if (!encoder_) return band_levels(samples, fps, frames, rules_.dim);
  return encoder_states(*encoder_, samples, fps, frames, frames_in(rules_.piece, fps),
                        frames_in(kContext, fps));
}

Heard Hearing::listen(const std::string& path, double fps) const {
  auto sound = read_sound(path, {.rate = kRate, .channels = 1});
  if (sound.seconds() > rules_.longest) {
    raise<ConfigError>(path, ": lasts ", std::llround(sound.seconds()), " s, more than ",
                       rules_.owner, " longest = ", rules_.longest,
                       " s; cut it, or raise that: features take 0.9 MB per second");
  }
  Heard heard;
  heard.identity = short_hash(sound.samples) + (encoder_ ? " by " + encoder_hash_ : "");
  const double loudness = integrated_loudness(sound);
  const bool silent =
      !std::isfinite(loudness) && sound.samples.abs().max().item<float>() < kNothing;
  if (silent && !rules_.silence) {
    raise<ConfigError>(path, ": is silent, no sample of it reaches -60 dB; give another sound, or ",
                       "set ", rules_.owner, " silence = allow");
  }
  if (std::isfinite(loudness)) sound.samples.mul_(std::pow(10, (rules_.lufs - loudness) / 20));
  const auto frames =  // silence fills the last one up
      std::max<std::int64_t>(frames_in(sound.seconds() - kRounding / fps, fps), 1);
  heard.rows = features(sound.samples[0], fps, frames);
  const auto second = frames_in(1, fps);  // of silence; its middle
  heard.silence =
      features(at::zeros({sample_of_frame(second, fps)}), fps, second).narrow(0, second / 2, 1);
  if (encoder_ && fps != kTaughtFps) {
    SVI_WARN("talk", "a film of ", fps, " frames per second: MultiTalk's audio layers know ",
             kTaughtFps, "; set fps = 25, unless these were trained otherwise");
  }
  return heard;
}

Heard Hearing::hear(const std::string& path, double fps) const {
  const std::lock_guard lock(mutex_);
  need_encoder();
  for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
    if (kept->path != path || kept->fps != fps) continue;
    kept_.splice(kept_.begin(), kept_, kept);
    return kept_.front().heard;
  }
  kept_.push_front({path, fps, listen(path, fps)});
  std::int64_t bytes = 0;
  for (auto kept = kept_.begin(); kept != kept_.end();) {
    bytes += static_cast<std::int64_t>(kept->heard.rows.nbytes());
    const bool drop = kept != kept_.begin() && bytes > rules_.kept_mebibytes << 20;
    kept = drop ? kept_.erase(kept) : std::next(kept);
  }
  return kept_.front().heard;
}

at::Tensor rows_of(const Heard& heard, std::int64_t count) {
  const auto there = heard.rows.size(0);
  if (count <= there) return heard.rows;
  auto sizes = heard.rows.sizes().vec();
  sizes[0] = count - there;
  return at::cat({heard.rows, heard.silence.expand(sizes)});
}

}  // namespace svi::speech
