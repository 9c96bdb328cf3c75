#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace svi::vision {

/// Features of a frame at full size and at halves of it, each level the mean of 2 x 2 places of the
/// one before; a row or column without a partner is left out.
struct FeaturePyramid {
  std::vector<at::Tensor> levels;  // [h >> l, w >> l, C'], contiguous; C' = C rounded up to 16 by 0
  std::int64_t channels = 0;       // C
};

/// Of features [1, C, h, w].
FeaturePyramid feature_pyramid(const at::Tensor& features, std::int64_t levels);

/// How alike the features of a place of one frame are to those around a place of another: the
/// correlation of RAFT (Teed and Deng 2020, arXiv 2003.12039), as RAFT and AMT look it up.
///
/// Note [Correlation]: the dot products of all pairs of places would be a tensor of (h w)^2
/// numbers, 0.8 GB for a frame of 1280 x 720, of which a lookup reads (2 r + 2)^2 per place and
/// level. Only these are computed here, by the mean of features instead of the mean of dot
/// products, which is the same sum in another order. They are kept: while a place moves within one
/// pixel, as most do after a few iterations, its lookup costs four products a sample. Memory is
/// that of the answer.
class Correlation {
 public:
  enum class Way {
    windows,  // on the CPU: as the note says
    volume    // on any device: all pairs, then samples of them
  };

  /// `from` and `to` are of frames of equal size, on one device; borrowed until the last lookup.
  Correlation(const FeaturePyramid& from, const FeaturePyramid& to, std::int64_t radius);
  Correlation(const FeaturePyramid& from, const FeaturePyramid& to, std::int64_t radius, Way way);

  /// `places` [1, 2, h, w]: for each place of `from`, x and y in `to`, in places of the full size.
  /// Gives [1, L S S, h, w] with S = 2 radius + 1, channels last: on level l, channel S i + j is
  /// the dot product over sqrt(C) at (x / 2^l + i - radius, y / 2^l + j - radius), between four
  /// places, zero outside. The first axis of a window moves x.
  at::Tensor lookup(const at::Tensor& places);

 private:
  at::Tensor from_windows(const at::Tensor& places);
  at::Tensor from_volume(const at::Tensor& places) const;

  const FeaturePyramid& from_;
  const FeaturePyramid& to_;
  std::int64_t radius_;
  float scale_;
  at::Tensor corners_;              // [h w, L, 2] int32: which windows `dots_` has
  at::Tensor dots_;                 // [h w, L, (S + 1)^2]
  std::vector<at::Tensor> volume_;  // [h w, 1, h >> l, w >> l] of each level
};

}  // namespace svi::vision
