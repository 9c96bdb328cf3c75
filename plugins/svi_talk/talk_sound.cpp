// How TalkAudio hears a file.
#include <ATen/ATen.h>

#include <cmath>

#include "speech/features.hpp"
#include "speech/loudness.hpp"
#include "speech/windows.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/sha256.hpp"
#include "talk_audio.hpp"

namespace {

constexpr double kContext = 4;           // seconds on both sides of a piece
constexpr float kNothing = 1e-3F;        // of full scale
constexpr double kRounding = 0.05;       // of a frame: samples that resampling adds
constexpr std::int64_t kMostBands = 32;  // more would be empty
constexpr double kTaughtFps = 25;        // of the official layers

std::string digest(const at::Tensor& samples) {
  return svi::sha256_hex({static_cast<const char*>(samples.const_data_ptr()), samples.nbytes()})
      .substr(0, 16);
}

}  // namespace

/// [T, layers, dim] of samples [N] that fill T frames.
at::Tensor TalkAudio::features_of(const at::Tensor& samples, double fps,
                                  std::int64_t frames) const {
  if (config_.encoder.empty())
    return svi::speech::band_levels(samples, fps, frames, config_.audio_dim);
  const auto frames_of = [&](double seconds) {
    return static_cast<std::int64_t>(std::ceil(seconds * fps));
  };
  return svi::speech::encoder_states(*encoder_, samples, fps, frames, frames_of(config_.piece),
                                     frames_of(kContext));
}

/// Reads the sound and makes its rows, once for all films that have it.
void TalkAudio::hear(const svi::TrackFile& file) const {
  if (heard_.path == file.path && heard_.fps == file.fps) return;
  if (!config_.encoder.empty() && !encoder_) {
    encoder_ = std::make_unique<svi::Wav2Vec2>(svi::speech::open_wav2vec2(config_.encoder));
    const auto& has = encoder_->config();
    if (has.layers != config_.layers || has.dim != config_.audio_dim) {
      encoder_.reset();
      svi::raise<svi::ConfigError>(title(), " encoder = ", config_.encoder, ": gives ", has.layers,
                                   " states of ", has.dim, " values; these layers hear ",
                                   config_.layers, " of ", config_.audio_dim);
    }
  }
  auto sound = svi::read_sound(file.path, {.rate = svi::speech::kRate, .channels = 1});
  if (sound.seconds() > config_.longest) {
    svi::raise<svi::ConfigError>(file.path, ": lasts ", std::llround(sound.seconds()),
                                 " s, more than ", title(), " longest = ", config_.longest,
                                 " s; cut it, or raise that: features take 0.9 MB per second");
  }
  Heard heard{.path = file.path, .fps = file.fps, .rows = {}, .silence = {}, .identity = {}};
  heard.identity = digest(sound.samples);
  const double loudness = svi::speech::integrated_loudness(sound);
  const bool silent =
      !std::isfinite(loudness) && sound.samples.abs().max().item<float>() < kNothing;
  if (silent && config_.silence == SilenceRule::refuse) {
    svi::raise<svi::ConfigError>(file.path,
                                 ": is silent, no sample of it reaches -60 dB; give another sound, "
                                 "or set ",
                                 title(), " silence = allow");
  }
  if (std::isfinite(loudness)) sound.samples.mul_(std::pow(10, (config_.lufs - loudness) / 20));
  const auto frames = static_cast<std::int64_t>(
      std::ceil(sound.seconds() * file.fps - kRounding));  // it fills them
  heard.rows = features_of(sound.samples[0], file.fps, std::max<std::int64_t>(frames, 1));
  // What a second of silence sounds like in its middle.
  const auto second = static_cast<std::int64_t>(std::ceil(file.fps));
  heard.silence =
      features_of(at::zeros({svi::speech::sample_of_frame(second, file.fps)}), file.fps, second)
          .narrow(0, second / 2, 1);
  if (!config_.encoder.empty()) {
    const auto weights = svi::speech::wav2vec2_file(config_.encoder);
    heard.identity += " by " + svi::sha256_file(weights).substr(0, 16);
    if (file.fps != kTaughtFps) {
      SVI_WARN("talk", "a film of ", file.fps, " frames per second: MultiTalk's audio layers know ",
               kTaughtFps, "; set [film] fps = 25, unless these were trained otherwise");
    }
  }
  heard_ = std::move(heard);
}

svi::MadeTrack TalkAudio::do_track_of(std::string_view, const svi::TrackFile& file) const {
  if (config_.encoder.empty() &&
      (config_.layers != 1 || config_.audio_dim > kMostBands || config_.audio_dim < 2)) {
    svi::raise<svi::ConfigError>(
        title(), " encoder is missing: these layers hear ", config_.layers, " states of ",
        config_.audio_dim,
        " values; give the folder of the speech encoder, such as chinese-wav2vec2-base of "
        "TencentGameMate");
  }
  const std::lock_guard lock(hearing_);
  hear(file);
  const auto there = heard_.rows.size(0);
  if (there <= file.last_clip && config_.silence == SilenceRule::refuse) {
    svi::raise<svi::ConfigError>(
        file.path, ": lasts ", static_cast<double>(there) / file.fps, " s, but the film ",
        static_cast<double>(file.frames) / file.fps,
        " s; leave --clips out for a film as long as its sound, give a longer sound, or set ",
        title(), " silence = allow");
  }
  auto rows = heard_.rows;
  if (file.frames > there) {
    auto sizes = rows.sizes().vec();
    sizes[0] = file.frames - there;
    rows = at::cat({rows, heard_.silence.expand(sizes)});
  }
  return {svi::speech::centred_windows(rows, config_.window), heard_.identity};
}
