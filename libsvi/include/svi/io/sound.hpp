#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// Sound in memory.
struct Sound {
  at::Tensor samples;     // [channels, N] fp32, full scale [-1, 1]
  std::int64_t rate = 0;  // samples per second

  double seconds() const {  // how long it is
    return rate > 0 ? static_cast<double>(samples.size(1)) / static_cast<double>(rate) : 0;
  }
};

/// How a sound is read.
struct SoundOptions {
  std::int64_t rate = 0;      // samples per second to resample to; 0: as the file has
  std::int64_t channels = 0;  // 1: mixed down to mono, 2: to stereo; 0: as the file has
};

/// Reads the sound of an audio or video file, in any format that FFmpeg decodes, at any rate and
/// with any channels; resampled and mixed by libswresample.
///
/// Sample 0 is the moment at which the file begins to play: a sound stream that begins later starts
/// with silence, and what encoders put in front of it is left out. Throws IoError naming the file:
/// missing, empty, without sound, damaged before its end, with values that are not finite, or
/// longer than a day.
SVI_EXPORT Sound read_sound(const std::string& path, SoundOptions options = {});

/// The same as a film can have it (join_videos): mono or stereo, more channels mixed to stereo, at
/// the file's rate where AAC has it, else at 48 kHz.
SVI_EXPORT Sound read_film_sound(const std::string& path);

}  // namespace svi
