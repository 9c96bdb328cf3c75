#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace svi::vision {

/// Mel-frequency cepstral coefficients of speech at 16 kHz, as python_speech_features computes them
/// by its defaults, in fp64: pre-emphasis, 25 ms every 10 ms, 26 mel filters, 13 coefficients.
class Mfcc {
 public:
  static constexpr std::int64_t kRate = 16000;  // samples per second
  static constexpr std::int64_t kCount = 13;    // coefficients
  static constexpr std::int64_t kStep = 160;    // samples from frame to frame
  static constexpr std::int64_t kLength = 400;  // samples of a frame

  Mfcc();
  /// Frames of so many samples; the last is filled up with zeros.
  static std::int64_t frames(std::int64_t samples);
  /// Coefficients [count, 13] of frames first .. first + count - 1 of samples int16 [N]. Throws
  /// Error where there are fewer.
  at::Tensor operator()(const at::Tensor& samples, std::int64_t first, std::int64_t count) const;

 private:
  at::Tensor filters_;  // [257, 26]
  at::Tensor cosines_;  // [26, 13]: the orthonormal DCT-II, lifted
};

}  // namespace svi::vision
