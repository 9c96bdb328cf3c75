#include "svi/model/wan/vae.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {
namespace {

using svi::testing::Fixture;
using svi::testing::relative_error;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// The weights of make_vae_fixtures.py's `formula`, which are too many to commit.
at::Tensor formula(std::uint64_t salt, at::IntArrayRef shape) {
  auto tensor = at::empty(shape, at::kFloat);
  auto* out = tensor.mutable_data_ptr<float>();
  const bool gamma = (tensor.dim() == 3 || tensor.dim() == 4) && tensor.size(1) == 1;
  const auto fan_in = static_cast<double>(tensor.numel() / tensor.size(0));
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    std::uint64_t bits =
        (static_cast<std::uint64_t>(i) + salt * 1000003) * 2654435761u & 0xFFFFFFFFu;
    bits = (bits ^ bits >> 15) * 2246822519u & 0xFFFFFFFFu;
    const double unit = static_cast<double>(bits >> 8) / 8388608.0 - 1.0;
    const double value = gamma              ? 1.0 + unit / 4.0
                         : tensor.dim() > 1 ? unit / std::sqrt(fan_in)
                                            : unit / 8.0;
    out[i] = static_cast<float>(value);
  }
  return tensor;
}

WanVae deep_vae(const Fixture& fixture) {
  WanVae vae({.dim = 8, .z_dim = 4});
  std::map<std::string, at::Tensor> sorted;
  for (const auto& [name, tensor] : vae.parameters()) sorted[name] = tensor;
  NamedTensors weights;
  for (const auto& [name, tensor] : sorted)
    weights.emplace_back(name, formula(weights.size(), tensor.sizes()));
  weights.emplace_back("latent_mean", fixture("latent_mean"));
  weights.emplace_back("latent_std", fixture("latent_std"));
  EXPECT_TRUE(vae.load(weights).complete());
  return vae;
}

WanVae small_vae(const Fixture& fixture) {
  auto weights = fixture.group("weights.");
  weights.emplace_back("latent_mean", fixture("latent_mean"));
  weights.emplace_back("latent_std", fixture("latent_std"));
  WanVae vae(WanVae::infer(weights));
  EXPECT_TRUE(vae.load(weights).complete());
  return vae;
}

WanVae random_vae(std::int64_t dim = 8) {
  WanVae vae({.dim = dim,
              .z_dim = 4,
              .dim_mult = {1, 2, 2},
              .num_res_blocks = 1,
              .temporal_downsample = {1, 1}});
  vae.initialise(3);
  for (auto& [name, tensor] : vae.parameters()) {
    if (name.ends_with("proj.weight") || name.ends_with("bias"))
      tensor.copy_(formula(1, tensor.sizes()));
  }
  return vae;
}

at::Tensor random_video(at::IntArrayRef sizes, std::uint32_t stream = 0) {
  auto video = at::empty(sizes, at::kFloat);
  fill_uniform({5, Purpose::test, stream, 0}, video.mutable_data_ptr<float>(), video.numel());
  return video * 2 - 1;
}

void expect_like_diffusers(const WanVae& vae, const Fixture& fixture,
                           std::initializer_list<int> frames) {
  for (const auto T : frames) {
    const auto video = fixture(cat("video_", T));
    const auto latent = fixture(cat("latent_", T));
    const auto input = fixture(cat("input_", T));
    const auto decoded = fixture(cat("decoded_", T));
    EncoderStream encoder(vae);
    DecoderStream decoder(vae);

    EXPECT_LE(relative_error(vae.encode(video), latent), 1e-4) << T;
    EXPECT_LE(relative_error(vae.encode_moments(video).second, fixture(cat("logvar_", T))), 1e-4)
        << T;
    EXPECT_LE(relative_error(vae.decode(input), decoded), 1e-4) << T;
    EXPECT_LE(relative_error(encoder.push(video), latent), 1e-4) << T;
    EXPECT_LE(relative_error(decoder.push(input), decoded), 1e-4) << T;
  }
}

TEST(WanVae, EqualsDiffusersAtTheOfficialDepth) {
  const Fixture fixture("vae_deep");
  expect_like_diffusers(deep_vae(fixture), fixture, {1, 5, 17});
}

TEST(WanVae, EqualsDiffusersInASmallShapeOfItsOwn) {
  const Fixture fixture("vae_small");
  const auto vae = small_vae(fixture);

  expect_like_diffusers(vae, fixture, {1, 5, 9});
  EXPECT_EQ(vae.config().dim_mult, (std::vector<std::int64_t>{1, 2, 2}));
  EXPECT_EQ(vae.config().temporal_downsample, (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(vae.config().num_res_blocks, 1);
}

TEST(WanVae, HasTheOfficialNamesAndShapes) {
  const WanVae vae(WanVaeConfig{}, at::Device(at::kMeta));
  std::map<std::string, std::string> own;
  std::int64_t count = 0;
  for (const auto& [name, tensor] : vae.parameters()) {
    std::string shape;
    for (const auto size : tensor.sizes()) shape += cat(shape.empty() ? "" : "x", size);
    own[name] = shape;
    count += tensor.numel();
  }
  std::map<std::string, std::string> official;
  std::ifstream manifest(SVI_SOURCE_DIR "/tests/data/model/wan_vae_manifest.tsv");
  for (std::string name, shape; manifest >> name >> shape;) official[name] = shape;

  EXPECT_EQ(official.size(), 194u);
  EXPECT_EQ(own, official);
  EXPECT_EQ(count, 126'892'531);
}

TEST(WanVae, PiecesOfAnySizeGiveTheWholeVideosLatents) {
  const auto vae = random_vae();
  const auto video = random_video({2, 3, 13, 16, 8});
  const auto whole = vae.encode(video);
  EncoderStream stream(vae);
  std::vector<at::Tensor> latents;
  std::int64_t next = 0;
  for (const auto frames : {3, 1, 4, 2, 3}) {
    const auto piece = stream.push(video.narrow(2, next, frames));
    if (piece.defined()) latents.push_back(piece);
    next += frames;
  }

  EXPECT_EQ(stream.pending(), 0);
  EXPECT_LE(relative_error(at::cat(latents, 2), whole), 1e-5);
  stream.reset();
  EXPECT_LE(relative_error(stream.push(video.narrow(2, 0, 5)), whole.narrow(2, 0, 2)), 1e-5);
}

TEST(WanVae, DecodingLatentByLatentGivesTheWholeVideo) {
  const auto vae = random_vae();
  const auto latent = random_video({2, 4, 5, 3, 2});
  const auto whole = vae.decode(latent);
  DecoderStream stream(vae);
  const auto first = stream.push(latent.narrow(2, 0, 1));
  const auto second = stream.push(latent.narrow(2, 1, 1));
  const auto rest = stream.push(latent.narrow(2, 2, 3));

  EXPECT_EQ(whole.size(2), 17);
  EXPECT_EQ(first.size(2), 1);
  EXPECT_EQ(second.size(2), 4);
  EXPECT_LE(relative_error(at::cat({first, second, rest}, 2), whole), 1e-5);
  stream.reset();
  EXPECT_TRUE(at::equal(stream.push(latent.narrow(2, 0, 1)), first));
}

TEST(WanVae, LatentsDependOnThePastOnly) {
  const auto vae = random_vae();
  const auto video = random_video({1, 3, 9, 8, 8});
  auto changed = video.clone();
  changed.narrow(2, 5, 4).mul_(-1);

  const auto difference = (vae.encode(changed) - vae.encode(video)).abs();

  EXPECT_LE(difference.narrow(2, 0, 2).max().item<float>(), 1e-6);
  EXPECT_GT(difference.narrow(2, 2, 1).max().item<float>(), 1e-3);
}

TEST(WanVae, ValuesAndGradientsEqualThoseInDoublePrecision) {
  for (const std::int64_t dim : {4, 8, 16}) {
    auto vae = random_vae(dim);
    auto exact = random_vae(dim);
    exact.to(at::Device(at::kCPU), at::kDouble);
    const auto video = random_video({1, 3, 5, 8, 8});
    vae.require_grad(true);
    exact.require_grad(true);
    const auto output = vae.decode(vae.encode(video));
    const auto reference = exact.decode(exact.encode(video.to(at::kDouble)));
    output.square().mean().backward();
    reference.square().mean().backward();

    EXPECT_LE(relative_error(output.to(at::kDouble), reference), 5e-5);
    const auto parameters = vae.parameters();
    const auto others = exact.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      EXPECT_LE(
          relative_error(parameters[i].second.grad().to(at::kDouble), others[i].second.grad()),
          1e-3)
          << parameters[i].first << " at dim " << dim;
    }
  }
}

TEST(WanVae, BrainFloatActivationsGiveNearlyTheSameGradients) {
  for (const std::int64_t dim : {8, 16}) {
    auto vae = random_vae(dim);
    vae.require_grad(true);
    const auto video = random_video({1, 3, 5, 8, 8});
    const auto gradients = [&] {
      vae.decode(vae.encode(video)).square().mean().backward();
      std::vector<at::Tensor> all;
      for (auto& [name, tensor] : vae.parameters()) {
        all.push_back(tensor.grad().clone().flatten());
        tensor.mutable_grad().reset();
      }
      return at::cat(all);
    };
    const auto exact = gradients();
    vae.set_activations(at::kBFloat16);
    const auto rounded = gradients();

    EXPECT_EQ(rounded.scalar_type(), at::kFloat);
    EXPECT_FALSE(at::equal(rounded, exact));
    EXPECT_LE(((rounded - exact).norm() / exact.norm()).item<double>(), 0.1) << dim;
  }
}

TEST(WanVae, InitialisationDependsOnTheSeedAlone) {
  WanVae a({.dim = 8, .z_dim = 4}), b({.dim = 8, .z_dim = 4}), c({.dim = 8, .z_dim = 4});
  a.initialise(1);
  b.initialise(1);
  c.initialise(2);
  const auto of = [](const WanVae& vae) {
    return svi::testing::find(vae.parameters(), "conv2.weight");
  };

  EXPECT_TRUE(at::equal(of(a), of(b)));
  EXPECT_FALSE(at::equal(of(a), of(c)));
  EXPECT_GT(of(a).abs().max().item<float>(), 0);
}

TEST(WanVae, StatisticsNormaliseAndTravelWithTheWeights) {
  auto vae = random_vae();
  const auto video = random_video({1, 3, 5, 8, 8});
  const auto raw = vae.encode_moments(video).first;
  const auto reconstruction = vae.decode(vae.encode(video));
  vae.set_latent_statistics(at::full({4}, 0.5), at::full({4}, 2.0));
  const auto path = ::testing::TempDir() + "/svi_vae_state.safetensors";
  save_safetensors(path, vae.state());
  const auto loaded = WanVae::open(path);

  EXPECT_LE(relative_error(vae.encode(video), (raw - 0.5) / 2), 1e-5);
  EXPECT_LE(relative_error(vae.decode(vae.encode(video)), reconstruction), 1e-4);
  EXPECT_EQ(loaded.config(), vae.config());
  EXPECT_TRUE(at::equal(loaded.encode(video), vae.encode(video)));
}

TEST(WanVae, WrongSizesNameWhatWouldDo) {
  const auto vae = random_vae();
  const auto message = [&](at::IntArrayRef sizes) -> std::string {
    try {
      vae.encode(at::zeros(sizes));
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message({1, 3, 80, 8, 8}), AllOf(HasSubstr("80"), HasSubstr("77 and 81")));
  EXPECT_THAT(message({1, 3, 2, 8, 8}), HasSubstr("1 and 5"));
  EXPECT_THAT(message({1, 3, 5, 9, 8}), HasSubstr("multiples of 4"));
  EXPECT_THAT(message({3, 5, 8, 8}), HasSubstr("[B, 3, T, H, W]"));
  EXPECT_EQ(vae.latent_frames(81), 21);
  EXPECT_EQ(vae.pixel_frames(21), 81);
  EXPECT_THROW(WanVae({.dim_mult = {}}), ConfigError);
  EXPECT_THROW(WanVae({.temporal_downsample = {1}}), ConfigError);
}

TEST(WanVae, WeightsOfAnotherShapeAreRefused) {
  auto vae = random_vae();
  auto weights = vae.state();
  weights.pop_back();
  EXPECT_THROW(vae.load(weights, "w.safetensors"), IoError);  // one statistic without the other
  weights.pop_back();
  EXPECT_NO_THROW(vae.load(weights, "w.safetensors"));
  weights.emplace_back("stranger", at::zeros({1}));
  EXPECT_THROW(vae.load(weights, "w.safetensors"), IoError);
  EXPECT_THROW(WanVae::infer({{"a", at::zeros({1})}}), IoError);
}

}  // namespace
}  // namespace svi
