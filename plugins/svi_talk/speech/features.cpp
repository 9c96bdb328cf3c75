#include "speech/features.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/io/weight_files.hpp"

namespace svi::speech {
namespace {

namespace fs = std::filesystem;

constexpr double kLowest = 80, kHighest = 7600;  // Hz, of bands
constexpr double kFloor = 1e-9;                  // power: -90 dB

Wav2Vec2Config read_config(const fs::path& file) {
  Wav2Vec2Config config;
  if (!fs::exists(file)) return config;
  std::ifstream in(file);
  const auto json = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) raise<IoError>(file.string(), ": is not JSON; download it again");
  try {
    if (json.value("do_stable_layer_norm", false) ||
        json.value("feat_extract_norm", "group") != "group") {
      raise<IoError>(file.string(),
                     ": a large wav2vec 2.0 (norms in front of the blocks); give one ",
                     "of the base architecture, such as chinese-wav2vec2-base");
    }
    config.conv_dim = json.value("conv_dim", config.conv_dim);
    config.conv_kernel = json.value("conv_kernel", config.conv_kernel);
    config.conv_stride = json.value("conv_stride", config.conv_stride);
    config.dim = json.value("hidden_size", config.dim);
    config.ffn_dim = json.value("intermediate_size", config.ffn_dim);
    config.heads = json.value("num_attention_heads", config.heads);
    config.layers = json.value("num_hidden_layers", config.layers);
    config.position_kernel = json.value("num_conv_pos_embeddings", config.position_kernel);
    config.position_groups = json.value("num_conv_pos_embedding_groups", config.position_groups);
    config.eps = json.value("layer_norm_eps", config.eps);
  } catch (const nlohmann::json::exception& error) {
    raise<IoError>(file.string(), ": ", error.what());
  }
  return config;
}

}  // namespace

std::int64_t sample_of_frame(std::int64_t frame, double fps) {
  return std::llround(static_cast<double>(frame) * static_cast<double>(kRate) / fps);
}

at::Tensor band_levels(const at::Tensor& samples, double fps, std::int64_t frames,
                       std::int64_t count) {
  SVI_CHECK(samples.dim() == 1 && count >= 1 && frames >= 1, "levels of ", samples.sizes());
  std::int64_t points = 2048;
  while (points < sample_of_frame(1, fps) + 1) points *= 2;
  const auto bin_of = [&](std::int64_t band) {  // lower edge
    const double ratio = static_cast<double>(band) / static_cast<double>(count - 1);
    const double hertz = kLowest * std::pow(kHighest / kLowest, ratio);
    return std::llround(hertz * static_cast<double>(points) / kRate);
  };
  constexpr std::int64_t kAtOnce = 256;  // frames
  auto rows = at::empty({frames, 1, count});
  for (std::int64_t first = 0; first < frames; first += kAtOnce) {
    const auto here = std::min(kAtOnce, frames - first);
    auto pieces = at::zeros({here, points}, at::kDouble);
    auto lengths = at::empty({here}, at::kDouble);
    for (std::int64_t i = 0; i < here; ++i) {
      const auto from = sample_of_frame(first + i, fps), to = sample_of_frame(first + i + 1, fps);
      const auto begin = std::min(from, samples.size(0)), end = std::min(to, samples.size(0));
      if (end > begin) pieces[i].narrow(0, 0, end - begin).copy_(samples.slice(0, begin, end));
      lengths[i].fill_(std::max<std::int64_t>(to - from, 1));
    }
    // By Parseval, the mean square of a frame is the sum over its bins.
    const auto power = at::fft_rfft(pieces).abs().square() * 2 / static_cast<double>(points);
    auto part = rows.narrow(0, first, here).select(1, 0);  // [here, count]
    part.select(1, 0).copy_(pieces.square().sum(1) / lengths);
    for (std::int64_t band = 0; band + 1 < count; ++band) {
      const auto low = bin_of(band), high = std::max(bin_of(band + 1), low + 1);
      part.select(1, band + 1).copy_(power.slice(1, low, high).sum(1) / lengths);
    }
  }
  return (rows.clamp_min(kFloor).log10() * 10 + 60) / 30;
}

std::string wav2vec2_file(const std::string& path) {
  const auto files = WeightFiles::open(path).files;
  return files.front().string();
}

Wav2Vec2 open_wav2vec2(const std::string& path) {
  const auto folder = fs::is_directory(path) ? fs::path(path) : fs::path(path).parent_path();
  Wav2Vec2 encoder(read_config(folder / "config.json"));
  encoder.adopt(open_weights(path), path);
  return encoder;
}

at::Tensor encoder_states(const Wav2Vec2& encoder, const at::Tensor& samples, double fps,
                          std::int64_t frames, std::int64_t piece, std::int64_t context) {
  // What the convolutions need at least; a shorter sound is followed by silence.
  const auto least = std::max(frames, static_cast<std::int64_t>(std::ceil(0.1 * fps)));
  const auto wanted = sample_of_frame(least, fps);
  const auto sound = at::constant_pad_nd(samples.slice(0, 0, wanted),
                                         {0, std::max<std::int64_t>(wanted - samples.size(0), 0)});
  const auto step = piece > 0 ? piece : least;
  std::vector<at::Tensor> rows;
  for (std::int64_t begin = 0; begin < least; begin += step) {
    const auto end = std::min(begin + step, least);
    const auto from = std::max<std::int64_t>(begin - context, 0),
               to = std::min(end + context, least);
    const auto part = sound.slice(0, sample_of_frame(from, fps), sample_of_frame(to, fps));
    rows.push_back(
        encoder.encode(part.unsqueeze(0), to - from)[0].slice(0, begin - from, end - from).clone());
  }
  return at::cat(rows).slice(0, 0, frames);
}

}  // namespace svi::speech
