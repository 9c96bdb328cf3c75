#pragma once

#include "svi/io/sound.hpp"

namespace svi::speech {

/// Integrated loudness of a sound in LUFS: ITU-R BS.1770-4, K-weighting, blocks of 0.4 s every
/// 0.1 s, gates at -70 LUFS and 10 LU below the mean. Every channel weighs 1, as mono and stereo
/// do. Minus infinity where no block is louder than -70 LUFS; NaN where the sound is shorter than a
/// block.
double integrated_loudness(const Sound& sound);

}  // namespace svi::speech
