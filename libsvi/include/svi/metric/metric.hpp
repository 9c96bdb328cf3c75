#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/metric/metric_context.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

/// Which values of a quantity are good ones; `one`: the nearer to 1 the better.
enum class Better { higher, lower, one };
/// "higher", "lower", "one".
SVI_EXPORT std::vector<std::string> enum_names(Better);

/// What the number of a set is computed by, from the features of its films.
enum class SetValue {
  frechet,  // frechet_distance() of the films' features from the truth's
  own,      // Metric::of_set
};

/// What a metric measures: one number for each clip of a film, and perhaps for each frame and each
/// whole film; or, of features, one number for a set of clips or a set of films.
///
/// | given to the sink | asked for by | in the result file |
/// | --- | --- | --- |
/// | `clip` | per_clip | `/metrics/clip/NAME` [arm, seed, scene, clip] |
/// | `frames` | per_frame | `/metrics/frame/NAME` [arm, seed, scene, frame] |
/// | `film` | per_film | `/metrics/film/NAME` [arm, seed, scene] |
/// | `features` | features | `/metrics/set/NAME` [arm, seed, clip], over all scenes |
/// | `film_features` | film_features | `/metrics/film_set/NAME` [arm, seed], over all scenes |
struct Quantity {
  std::string name;                // snake_case, unique in a run: "psnr", "seam_jump"
  std::string unit;                // "dB", "1", "px"
  std::string meaning;             // one sentence for users
  Better better = Better::higher;  // which values are good
  bool per_frame = false;          // also given frame by frame
  bool needs_truth = false;        // NaN without the truth
  /// D: for each clip, sessions give no number but vectors of D features of `feature_frames` frames
  /// and of the truth there; the number is that of the set of all scenes' clips of one index. 0: an
  /// ordinary quantity.
  std::int64_t features = 0;
  std::int64_t feature_frames = 0;  // K: frames of each clip that give features
  bool per_clip = true;             // a number for each clip; never where there are features
  bool per_film = false;            // a number for each whole film
  /// D: each film gives up to `film_rows` vectors of D features, and as many of the truth; the
  /// number is that of the set of all films of an arm and seed. Needs no `features`.
  std::int64_t film_features = 0;
  std::int64_t film_rows = 1;              // R: vectors of each film at most
  SetValue set_value = SetValue::frechet;  // how features become a number

  bool of_clip() const { return per_clip && features == 0; }  // whether `clip` is given
};

/// One clip of a film as a metric sees it; borrowed for the call. Frames are what the film shows
/// after stitching, so that clips neither overlap nor leave gaps. Nobody writes into the tensors.
struct ClipView {
  std::int64_t clip = 0;         // index in the film, from 0
  std::int64_t first_frame = 0;  // index in the film of the first frame here
  const at::Tensor& frames;      // [3, T, H, W]  fp32 in [0, 1], on the CPU
  const at::Tensor& truth;       // [3, T, H, W]  fp32 in [0, 1], or undefined
  const std::string& prompt;     // of this clip; may be empty
  double fps = 0;                // frames per second; 0: not known
  /// The video file that the film is in, with its sound; empty where it is in none: a rollout.
  std::string_view file = {};
  /// Frames of the whole film, as known before it is shown; 0: not known. A damaged film has fewer.
  std::int64_t film_frames = 0;

  /// Seconds from the film's first frame to frame `t` of this clip; needs fps.
  double time(std::int64_t t) const { return static_cast<double>(first_frame + t) / fps; }
};

/// A film at its end.
struct FilmView {
  std::int64_t clips = 0;   // shown; 0 for an empty film
  std::int64_t frames = 0;  // shown
  double fps = 0;           // frames per second; 0: not known
  std::string file = {};    // see ClipView
};

/// Receives a metric's numbers; index is into the metric's `quantities()`.
class SVI_EXPORT MetricSink {
 public:
  virtual ~MetricSink();
  virtual void clip(std::size_t quantity, double value) = 0;  // NaN where undefined
  virtual void frames(std::size_t quantity,
                      const std::vector<double>&) = 0;  // one value per frame of the clip
  /// Of a quantity with features: both [K, D] fp32, K <= feature_frames rows of this clip and of
  /// the truth at the same frames.
  virtual void features(std::size_t quantity, const at::Tensor& shown, const at::Tensor& truth) = 0;
  virtual void film(std::size_t quantity, double value) = 0;  // of the whole film, in finish()
  /// Of a quantity with film_features, in finish(): [R, D] floating, R <= film_rows, of the film
  /// and of the truth; either may be undefined.
  virtual void film_features(std::size_t quantity, const at::Tensor& shown,
                             const at::Tensor& truth) = 0;
};

/// A metric at work on one film; clips come in order, each once; keeps what it needs of earlier
/// clips.
class SVI_EXPORT MetricSession {
 public:
  virtual ~MetricSession();
  virtual void add(const ClipView& clip, MetricSink& sink) = 0;  // measures one clip
  /// After the last clip: gives what only the whole film has. Does nothing if not overridden.
  virtual void finish(const FilmView& film, MetricSink& sink);
};

/// Turns films into named numbers. Sessions are independent; memory does not grow with the film's
/// length.
///
/// quantities(), needs() and of_set() answer for a metric that was only made, whether or not its
/// files are there; sessions are opened only after ready().
class SVI_EXPORT Metric : public Component {
 public:
  static constexpr std::string_view kKind = "metric";
  ~Metric() override;

  virtual std::vector<Quantity> quantities() const = 0;
  /// Files without which it gives no number; none if not overridden. Where one is missing or is
  /// another file, the metric is reported as missing and neither ready() nor open() is called.
  virtual std::vector<MetricFile> needs() const;
  /// Files of weights that it has read when it is made, beside those of needs(): their hashes are
  /// part of where a run's numbers come from. None if not overridden.
  virtual std::vector<std::string> weights() const;
  /// Loads what sessions use, once. The context outlives the metric. Does nothing if not
  /// overridden; throws IoError naming the file if it cannot be used.
  virtual void ready(const MetricContext& context);
  virtual std::unique_ptr<MetricSession> open() const = 0;
  /// The number of a set, of quantities with SetValue::own: `shown` [N, D] and `truth` [M, D] are
  /// the rows that are finite, in the order of scenes, clips or rows; N and M may be 0. Must depend
  /// on these alone. NaN where undefined.
  virtual double of_set(std::size_t quantity, const at::Tensor& shown,
                        const at::Tensor& truth) const;
};

}  // namespace svi
