#include "svi/model/wan/vae_tiling.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"

namespace svi {
namespace {

using svi::testing::relative_error;
using Spans = std::vector<TileSpan>;

at::Tensor random(at::IntArrayRef sizes, std::uint32_t stream = 0) {
  auto tensor = at::empty(sizes, at::kFloat);
  fill_uniform({5, Purpose::test, stream, 0}, tensor.mutable_data_ptr<float>(), tensor.numel());
  return tensor * 2 - 1;
}

WanVae make(std::int64_t dim) {
  WanVae vae({.dim = dim,
              .z_dim = 4,
              .dim_mult = {1, 2},
              .num_res_blocks = 1,
              .temporal_downsample = {1}});
  vae.initialise(3);
  std::uint32_t stream = 0;
  for (auto& [name, tensor] : vae.parameters()) {
    ++stream;
    if (name.ends_with("bias")) tensor.copy_(random(tensor.sizes(), stream) / 8);
  }
  return vae;
}

TEST(VaeTiling, TilesAreThoseOfTheReference) {
  EXPECT_EQ(tile_spans(60, 30, 15), (Spans{{0, 30}, {15, 45}, {30, 60}}));
  EXPECT_EQ(tile_spans(104, 52, 26), (Spans{{0, 52}, {26, 78}, {52, 104}}));
  EXPECT_EQ(tile_spans(480, 272, 144), (Spans{{0, 272}, {144, 416}, {288, 480}}));
  EXPECT_EQ(tile_spans(832, 272, 128),
            (Spans{{0, 272}, {128, 400}, {256, 528}, {384, 656}, {512, 784}, {640, 832}}));
  EXPECT_EQ(tile_spans(10, 30, 15), (Spans{{0, 10}}));
  EXPECT_THROW(tile_spans(10, 4, 5), ConfigError);
  EXPECT_THROW(tile_spans(10, 4, 0), ConfigError);
}

TEST(VaeTiling, ATileAsLargeAsTheFrameChangesNothing) {
  const auto vae = make(8);
  const auto latent = random({1, 4, 2, 6, 8});
  const auto video = random({1, 3, 3, 12, 16});

  EXPECT_TRUE(at::equal(decode_tiled(vae, latent, {6, 8, 6, 8}), vae.decode(latent)));
  EXPECT_TRUE(at::equal(encode_tiled(vae, video, {7, 9, 3, 3}), vae.encode(video)));
}

/// Pixel by pixel: each covering tile counts by the smaller of its two ramps.
at::Tensor blended_plainly(const at::Tensor& latent, const WanVae& vae, const VaeTiling& tiling) {
  const auto H = 2 * latent.size(3), W = 2 * latent.size(4);
  const auto ramp = [](std::int64_t at, TileSpan tile, std::int64_t size, std::int64_t border) {
    double weight = 1;
    if (tile.begin != 0) weight = std::min(weight, double(at - tile.begin + 1) / double(border));
    if (tile.end != size) weight = std::min(weight, double(tile.end - at) / double(border));
    return weight;
  };
  auto result = at::zeros({1, 3, 3, H, W}, at::kDouble), total = at::zeros({H, W}, at::kDouble);
  for (const auto& r : tile_spans(latent.size(3), tiling.tile_height, tiling.stride_height)) {
    for (const auto& c : tile_spans(latent.size(4), tiling.tile_width, tiling.stride_width)) {
      const auto part =
          vae.decode(latent.slice(3, r.begin, r.end).slice(4, c.begin, c.end)).to(at::kDouble);
      for (auto y = 2 * r.begin; y < 2 * r.end; ++y) {
        for (auto x = 2 * c.begin; x < 2 * c.end; ++x) {
          const auto weight = std::min(
              ramp(y, {2 * r.begin, 2 * r.end}, H, 2 * (tiling.tile_height - tiling.stride_height)),
              ramp(x, {2 * c.begin, 2 * c.end}, W, 2 * (tiling.tile_width - tiling.stride_width)));
          result.select(4, x).select(3, y).add_(
              part.select(4, x - 2 * c.begin).select(3, y - 2 * r.begin), weight);
          total.select(1, x).select(0, y).add_(weight);
        }
      }
    }
  }
  return result / total;
}

TEST(VaeTiling, OverlapsBlendByTheSmallerLinearRamp) {
  const at::NoGradGuard guard;
  const auto vae = make(8);
  const auto latent = random({1, 4, 2, 7, 8});
  const VaeTiling tiling{4, 4, 2, 3};

  EXPECT_LE(relative_error(decode_tiled(vae, latent, tiling).to(at::kDouble),
                           blended_plainly(latent, vae, tiling)),
            1e-5);
}

TEST(WideVae, FrameByFrameEqualsTheWholeVideoInDoublePrecision) {
  const at::NoGradGuard guard;
  const auto vae = make(64);
  auto exact = make(64);
  exact.to(at::Device(at::kCPU), at::kDouble);
  for (const auto& [height, width] : {std::pair{8, 12}, std::pair{10, 6}}) {
    const auto video = random({2, 3, 7, height, width});
    const auto latent = random({2, 4, 4, height / 2, width / 2});
    EncoderStream encoder(vae);
    DecoderStream decoder(vae);
    std::vector<at::Tensor> frames;
    decoder.push(latent, [&](const at::Tensor& frame) { frames.push_back(frame); });
    const auto wanted = exact.encode(video.to(at::kDouble));
    const auto decoded = exact.decode(latent.to(at::kDouble));

    EXPECT_LE(relative_error(vae.encode(video).to(at::kDouble), wanted), 5e-5);
    EXPECT_LE(relative_error(vae.decode(latent).to(at::kDouble), decoded), 5e-5);
    EXPECT_LE(relative_error(encoder.push(video).to(at::kDouble), wanted), 5e-5);
    EXPECT_EQ(frames.size(), 7u);
    EXPECT_TRUE(at::equal(at::cat(frames, 2), vae.decode(latent)));
  }
}

}  // namespace
}  // namespace svi
