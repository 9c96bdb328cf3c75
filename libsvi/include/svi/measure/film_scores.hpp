#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/metric/metric.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// What the metrics said of a batch of films. NaN where a metric had nothing to say. Per quantity;
/// undefined where the quantity has no such numbers.
struct FilmScores {
  std::vector<Quantity> quantities;  // what is measured, in order
  std::vector<at::Tensor> clip;      // [films, clips]   fp64
  std::vector<at::Tensor> frame;     // [films, frames]  fp64
  std::vector<at::Tensor> film;      // [films]          fp64
  /// [films, clips, K, D] fp32, of the films and of the truth.
  std::vector<at::Tensor> features, true_features;
  /// [films, R, D] fp64, of the films and of the truth.
  std::vector<at::Tensor> film_features, true_film_features;
};

/// Scores of these quantities for `films` films of up to `clips` clips and `frames` frames, all
/// NaN.
SVI_EXPORT FilmScores unmeasured_scores(const std::vector<Quantity>& quantities, std::int64_t films,
                                        std::int64_t clips, std::int64_t frames);

/// All numbers of one film by kind and quantity ("clip/psnr"), without the dimension of films.
SVI_EXPORT NamedTensors numbers_of(const FilmScores& scores, std::int64_t film);

/// Puts numbers_of() a film, which may be shorter, into its place among others. `quantities` are
/// those that the numbers must have. Returns false, having changed nothing, where they are not of
/// these quantities or do not fit.
SVI_EXPORT bool put_numbers(FilmScores& scores, std::int64_t film,
                            const std::vector<Quantity>& quantities, const NamedTensors& numbers);

}  // namespace svi
