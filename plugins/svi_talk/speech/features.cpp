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
      raise<IoError>(file.string(), ": a large wav2vec 2.0 (norms in front of the blocks); give one ",
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
  auto rows = at::empty({frames, 1, count});
  for (std::int64_t k = 0; k < frames; ++k) {
    const auto begin = std::min(sample_of_frame(k, fps), samples.size(0));
    const auto end = std::min(sample_of_frame(k + 1, fps), samples.size(0));
    const auto length = std::max<std::int64_t>(sample_of_frame(k + 1, fps) - begin, 1);
    const auto piece = at::constant_pad_nd(samples.slice(0, begin, end).to(at::kDouble),
                                           {0, points - (end - begin)});
    // By Parseval, the mean square of the frame is the sum over bins.
    auto power = at::fft_rfft(piece).abs().square() * 2 /
                 (static_cast<double>(points) * static_cast<double>(length));
    auto row = rows[k][0];
    row[0].copy_(piece.square().sum() / static_cast<double>(length));
    for (std::int64_t band = 0; band + 1 < count; ++band) {
      const auto low = bin_of(band), high = std::max(bin_of(band + 1), low + 1);
      row[band + 1].copy_(power.slice(0, low, high).sum());
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
  const auto sound =
      at::constant_pad_nd(samples.slice(0, 0, wanted), {0, std::max<std::int64_t>(
                                                               wanted - samples.size(0), 0)});
  const auto step = piece > 0 ? piece : least;
  std::vector<at::Tensor> rows;
  for (std::int64_t begin = 0; begin < least; begin += step) {
    const auto end = std::min(begin + step, least);
    const auto from = std::max<std::int64_t>(begin - context, 0), to = std::min(end + context, least);
    const auto part = sound.slice(0, sample_of_frame(from, fps), sample_of_frame(to, fps));
    rows.push_back(
        encoder.encode(part.unsqueeze(0), to - from)[0].slice(0, begin - from, end - from).clone());
  }
  return at::cat(rows).slice(0, 0, frames);
}

}  // namespace svi::speech
