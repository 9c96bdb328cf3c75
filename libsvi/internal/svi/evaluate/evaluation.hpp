#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/measure/film_meter.hpp"
#include "svi/method/rollout.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// Rolls out scenes and measures each clip as soon as its frames are final.
///
/// Memory does not grow with the film but for the scores. Borrows everything; one thread.
class SVI_EXPORT Evaluation {
 public:
  /// The metrics are ready. Borrows all.
  Evaluation(const Studio& studio, const ClipSource& source,
             const std::vector<std::unique_ptr<Metric>>& metrics);

  /// `on_clip` sees every clip after it is measured: to write videos, or to report progress.
  FilmScores run(const std::vector<Scene>& scenes,
                 const std::function<void(const RolledClip&)>& on_clip) const;

 private:
  const Studio& studio_;
  const ClipSource& source_;
  const std::vector<std::unique_ptr<Metric>>& metrics_;
};

}  // namespace svi
