#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "svi/encoder/wav2vec2.hpp"

namespace svi::speech {

/// Samples per second of what features are made of, mono.
inline constexpr std::int64_t kRate = 16000;

/// The first sample of frame k of a film.
std::int64_t sample_of_frame(std::int64_t frame, double fps);

/// Levels of a sound in bands, a stand-in for a speech encoder where there is none: samples [N] to
/// rows [T, 1, count], one per frame. Value 0 is the level of the whole frame, each other one that
/// of a band, bands at equal ratios from 80 Hz to 7.6 kHz. A level is (dB + 60) / 30, from about -1
/// (silence, at most -90 dB) to 2.
at::Tensor band_levels(const at::Tensor& samples, double fps, std::int64_t frames,
                       std::int64_t count);

/// A wav2vec 2.0 encoder from a folder of its file and config.json, or from the file alone (then of
/// base size). Throws IoError naming the file.
Wav2Vec2 open_wav2vec2(const std::string& path);
/// The file of the weights that it reads.
std::string wav2vec2_file(const std::string& path);

/// States after each block, [T, layers, dim], stretched to one row per frame of the film: samples
/// [N] fill T frames exactly. A sound longer than `piece` frames is encoded in pieces, with
/// `context` frames more on both sides that are thrown away; piece = 0: as a whole.
at::Tensor encoder_states(const Wav2Vec2& encoder, const at::Tensor& samples, double fps,
                          std::int64_t frames, std::int64_t piece, std::int64_t context);

}  // namespace svi::speech
