#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/evaluate/rollout.hpp"
#include "svi/measure/film_meter.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// Rolls out scenes and measures each clip as soon as its frames are final.
///
/// Memory does not grow with the film but for the scores. Borrows everything; one thread.
class SVI_EXPORT Evaluation {
 public:
  /// `frames_of_film` is the length of the films in pixel frames. The metrics are ready.
  Evaluation(const Rollout& rollout, const ClipSource& source,
             const std::vector<std::unique_ptr<Metric>>& metrics, ClipShape shape,
             std::int64_t clips, std::int64_t frames_of_film);

  /// `on_clip` sees every clip after it is measured: to write videos, or to report progress.
  FilmScores run(const std::vector<Scene>& scenes,
                 const std::function<void(const RolledClip&)>& on_clip) const;

 private:
  const Rollout& rollout_;
  const ClipSource& source_;
  const std::vector<std::unique_ptr<Metric>>& metrics_;
  ClipShape shape_;
  std::int64_t clips_, frames_;
};

}  // namespace svi
