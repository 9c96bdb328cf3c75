// How TalkAudio hears a file.
#include <ATen/ATen.h>

#include "speech/windows.hpp"
#include "svi/core/check.hpp"
#include "talk_audio.hpp"

svi::MadeTrack TalkAudio::do_track_of(std::string_view, const svi::TrackFile& file) const {
  {
    const std::lock_guard lock(hearing_lock_);
    if (!hearing_) {
      hearing_ = std::make_unique<svi::speech::Hearing>(
          svi::speech::HearingRules{.encoder = config_.encoder,
                                    .layers = config_.layers,
                                    .dim = config_.audio_dim,
                                    .lufs = config_.lufs,
                                    .piece = config_.piece,
                                    .longest = config_.longest,
                                    .silence = config_.silence == SilenceRule::allow,
                                    .owner = title()});
    }
  }
  const auto heard = hearing_->hear(file.path, file.fps);
  const auto there = heard.rows.size(0);
  if (there <= file.last_clip && config_.silence == SilenceRule::refuse) {
    svi::raise<svi::ConfigError>(
        file.path, ": lasts ", static_cast<double>(there) / file.fps, " s, but the film ",
        static_cast<double>(file.frames) / file.fps,
        " s; leave --clips out for a film as long as its sound, give a longer sound, or set ",
        title(), " silence = allow");
  }
  return {svi::speech::centred_windows(svi::speech::rows_of(heard, file.frames), config_.window),
          heard.identity};
}
