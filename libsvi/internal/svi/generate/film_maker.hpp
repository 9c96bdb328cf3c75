#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "svi/core/export.hpp"
#include "svi/generate/film_folder.hpp"
#include "svi/generate/film_settings.hpp"
#include "svi/generate/storyboard.hpp"
#include "svi/io/sound.hpp"
#include "svi/method/studio.hpp"

namespace svi {

/// Where the making of a film stands.
struct FilmProgress {
  enum class Phase { sampling, decoding, joining };  // in this order, clip by clip
  Phase phase = Phase::sampling;                     // what is in work
  std::int64_t clip = 0, clips = 0;                  // the one in work, from 0; of how many
  std::int64_t done = 0, all = 0;                    // steps, or latent frames; of how many
};

/// How a film begins.
struct FilmStart {
  at::Tensor image;   // [3, H, W] fp32 in [-1, 1]: the first frame, and the anchor
  at::Tensor before;  // [T, 3, H, W] uint8: frames of a video to go on from; undefined without one
  std::optional<Sound> sound = {};  // of the file, from its first frame on; see join_videos
};

/// Makes one film clip by clip into its folder, and goes on wherever it was stopped.
///
/// A film is a function of its settings, however often it was interrupted. Borrows everything.
class SVI_EXPORT FilmMaker {
 public:
  /// What a film maker works with; borrowed.
  struct Parts {
    const Studio& studio;          // what films are made with
    const Storyboard& storyboard;  // what each clip's latent is kept with
    const Script& script;          // the same, as the method asks for it
  };
  /// Touches no file yet.
  FilmMaker(Parts parts, FilmConfig config, FilmFolder folder);

  /// Makes what is missing of the first `clips` clips and joins them as the video. `progress` is
  /// told of every step; `stop` is asked as often, and ends the film after the last whole clip.
  /// While it works, the video shows the clips so far, but never fewer than it showed before.
  /// Returns how many clips of this film the video shows.
  std::int64_t run(const FilmStart& start, std::int64_t clips,
                   const std::function<void(const FilmProgress&)>& progress,
                   const std::function<bool()>& stop = {}) const;

 private:
  Parts parts_;
  FilmConfig config_;
  FilmFolder folder_;
};

}  // namespace svi
