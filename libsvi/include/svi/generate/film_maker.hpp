#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

#include "svi/core/export.hpp"
#include "svi/evaluate/rollout.hpp"
#include "svi/generate/film_folder.hpp"
#include "svi/generate/film_settings.hpp"
#include "svi/generate/storyboard.hpp"
#include "svi/io/video_writer.hpp"

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
};

/// Latents to frames, in order: latent [1, z, F, h, w], frames [1, 3, t, H, W] in [-1, 1] piece by
/// piece. `decoded` is told how many latent frames are done.
using DecodeLatent = std::function<void(
    const at::Tensor& latent, const std::function<void(const at::Tensor& frames)>& on_frames,
    const std::function<void(std::int64_t)>& decoded)>;

/// The codec's streaming decoder: memory does not grow with the clip.
SVI_EXPORT DecodeLatent streaming_decoder(const WanVae& vae);
/// The same in tiles (decode_tiled): the frames of a clip come at once.
SVI_EXPORT DecodeLatent tiled_decoder(const WanVae& vae);

/// Frames of a clip that the film shows. `last`: of the film; `continued`: the film goes on from a
/// video.
SVI_EXPORT ShownFrames shown_of(const Variant& variant, const Storyboard& storyboard,
                                std::int64_t frames, bool continued, std::int64_t clip, bool last);
/// Frames the film has with so many clips, without those of a video before it.
SVI_EXPORT std::int64_t film_frames(const Variant& variant, const Storyboard& storyboard,
                                    std::int64_t frames, bool continued, std::int64_t clips);

/// Makes one film clip by clip into its folder, and goes on wherever it was stopped.
///
/// A film is a function of its settings, however often it was interrupted. Borrows everything.
class SVI_EXPORT FilmMaker {
 public:
  /// What a film maker works with; borrowed.
  struct Parts {
    const Rollout& rollout;  // samples clips
    const Variant& variant;  // how clips are chained
    const WanVae& vae;       // the codec
    DecodeLatent decode;     // latents to frames
    /// The image of a cut, [3, H, W] fp32 in [-1, 1].
    std::function<at::Tensor(const std::string& path)> image;
  };
  /// Touches no file yet.
  FilmMaker(Parts parts, FilmConfig config, const Storyboard& storyboard, FilmFolder folder);

  /// Makes what is missing of the first `clips` clips and joins them as the video. `progress` is
  /// told of every step; `stop` is asked as often, and ends the film after the last whole clip.
  /// While it works, the video shows the clips so far, but never fewer than it showed before.
  /// Returns how many clips of this film the video shows.
  std::int64_t run(const FilmStart& start, std::int64_t clips,
                   const std::function<void(const FilmProgress&)>& progress,
                   const std::function<bool()>& stop = {}) const;

 private:
  struct Work;
  bool make_clip(Work& work, std::int64_t clip) const;
  void decode_clip(Work& work, std::int64_t clip, const at::Tensor& latent) const;
  at::Tensor noise(std::int64_t clip, const ClipOrder& order) const;
  void begin(Work& work, const FilmStart& start) const;
  ShownFrames shown(const Work& work, std::int64_t clip, bool last) const;
  void join(const Work& work, std::int64_t clips) const;
  VideoWriterOptions video_options() const;

  Parts parts_;
  FilmConfig config_;
  const Storyboard& storyboard_;
  FilmFolder folder_;
};

}  // namespace svi
