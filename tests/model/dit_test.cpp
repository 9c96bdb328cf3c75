#include "svi/model/wan/dit.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/model/wan/positions.hpp"

namespace svi {
namespace {

using testing::find;
using testing::Fixture;
using ::testing::HasSubstr;
using testing::relative_error;

constexpr double kTolerance = 1e-4;

Condition condition_of(const Fixture& fixture) {
  return {{part::kText, fixture("input.context")},
          {part::kImage, fixture("input.y")},
          {part::kClip, fixture("input.clip_fea")}};
}

std::unique_ptr<WanDit> model_of(const Fixture& fixture) {
  const auto weights = fixture.group("weights.");
  auto dit = std::make_unique<WanDit>(WanDit::infer(weights, fixture.heads()));
  dit->load(weights);
  return dit;
}

class WanDitOracle : public ::testing::TestWithParam<const char*> {};

TEST_P(WanDitOracle, EqualsDiffusersWithRandomWeights) {
  const Fixture fixture(GetParam());
  const auto dit = model_of(fixture);

  const at::NoGradGuard no_grad;
  const auto v =
      dit->velocity(fixture("input.x"), fixture("input.timestep"), condition_of(fixture));

  ASSERT_EQ(v.sizes(), fixture("output.v").sizes());
  EXPECT_LE(relative_error(v, fixture("output.v")), kTolerance);
}

// fp64 weights take the path of plain tensor operations, which also serves other devices and
// dtypes.
TEST_P(WanDitOracle, PlainOperationsEqualDiffusersToo) {
  const Fixture fixture(GetParam());
  const auto dit = model_of(fixture);
  dit->to(at::kCPU, at::kDouble);

  const at::NoGradGuard no_grad;
  const auto v =
      dit->velocity(fixture("input.x"), fixture("input.timestep"), condition_of(fixture));

  EXPECT_LE(relative_error(v, fixture("output.v")), kTolerance);
}

TEST_P(WanDitOracle, GivesEachSampleOfABatchItsOwnTimeAndCondition) {
  const Fixture fixture(GetParam());
  const auto dit = model_of(fixture);
  const auto row = [](const at::Tensor& t) { return t.defined() ? t.narrow(0, 1, 1) : t; };

  const at::NoGradGuard no_grad;
  const auto v = dit->velocity(row(fixture("input.x")), row(fixture("input.timestep")),
                               condition_of(fixture).rows(at::tensor({1})));

  EXPECT_LE(relative_error(v, row(fixture("output.v"))), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Configurations, WanDitOracle,
                         ::testing::Values("dit_t2v", "dit_i2v_channels", "dit_i2v_clip", "dit_odd",
                                           "dit_frame_time"),
                         [](const auto& test) { return std::string(test.param); });

class WanDitGradients : public ::testing::TestWithParam<std::tuple<const char*, at::ScalarType>> {};

TEST_P(WanDitGradients, OfEveryWeightEqualAutogradOfDiffusers) {
  const Fixture fixture(std::get<0>(GetParam()));
  const auto dit = model_of(fixture);
  dit->to(at::kCPU, std::get<1>(GetParam()));
  dit->require_grad(true);

  const auto v =
      dit->velocity(fixture("input.x"), fixture("input.timestep"), condition_of(fixture));
  (v * fixture("input.r")).sum().backward();

  for (const auto& [name, weight] : dit->parameters()) {
    ASSERT_TRUE(weight.grad().defined()) << name;
    EXPECT_LE(relative_error(weight.grad(), fixture("grad." + name)), kTolerance) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(FusedAndPlain, WanDitGradients,
                         ::testing::Combine(::testing::Values("dit_grad", "dit_frame_time"),
                                            ::testing::Values(at::kFloat, at::kDouble)));

// fp32 and bf16 without gradients run the lean blocks, fp32 with them the fused, fp64 the plain.
TEST(WanDit, OneTimePerFrameIsOneTimePerSampleWhereAllFramesAgree) {
  const Fixture fixture("dit_i2v_channels");
  const auto x = fixture("input.x"), timestep = fixture("input.timestep");
  const auto per_frame = timestep.unsqueeze(1).expand({-1, x.size(2)});
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    for (const bool gradients : {false, true}) {
      const auto dit = model_of(fixture);
      dit->to(at::kCPU, dtype);
      const c10::AutoGradMode mode(gradients);
      const auto condition = condition_of(fixture);
      EXPECT_TRUE(
          at::equal(dit->velocity(x, timestep, condition), dit->velocity(x, per_frame, condition)))
          << dtype << " " << gradients;
    }
  }
}

TEST(WanDit, RefusesTimesThatFitNeitherSamplesNorFrames) {
  const Fixture fixture("dit_i2v_channels"), odd("dit_odd");
  const auto dit = model_of(fixture), two_frame_patches = model_of(odd);
  const at::NoGradGuard no_grad;
  const auto message = [](const WanDit& model, const Fixture& given, const at::Tensor& timestep) {
    try {
      model.velocity(given("input.x"), timestep, condition_of(given));
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };

  EXPECT_THAT(message(*dit, fixture, at::zeros({2, 3})), HasSubstr("neither [B] nor [B, F]"));
  EXPECT_THAT(message(*dit, fixture, at::zeros({3})), HasSubstr("neither [B] nor [B, F]"));
  EXPECT_THAT(message(*two_frame_patches, odd, at::zeros({2, 4})),
              HasSubstr("one timestep per sample"));
}

TEST(WanDit, RefusesAConditionPartItDoesNotRead) {
  const Fixture fixture("dit_t2v");
  auto condition = condition_of(fixture);
  condition.set(part::kAudio, at::ones({2, 1}));
  try {
    model_of(fixture)->velocity(fixture("input.x"), fixture("input.timestep"), condition);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'audio'"));
  }
}

TEST(WanDit, InBfloat16StaysCloseToFp32) {
  const Fixture fixture("dit_i2v_channels");
  const auto dit = model_of(fixture);
  dit->to(at::kCPU, at::kBFloat16);

  const at::NoGradGuard no_grad;
  const auto v =
      dit->velocity(fixture("input.x"), fixture("input.timestep"), condition_of(fixture));

  EXPECT_EQ(v.scalar_type(), at::kFloat);
  const auto expected = fixture("output.v");
  const auto rms = (v - expected).square().mean().sqrt() / expected.square().mean().sqrt();
  EXPECT_LE(rms.item<double>(), .05);
}

TEST(WanDit, FusedGradientsWithImageTokensEqualThePlainOnes) {
  const Fixture fixture("dit_i2v_clip");
  const auto fused = model_of(fixture), plain = model_of(fixture);
  plain->to(at::kCPU, at::kDouble);
  const auto weights = at::randn_like(fixture("output.v"));

  for (const auto* dit : {fused.get(), plain.get()}) {
    const_cast<WanDit*>(dit)->require_grad(true);
    const auto v =
        dit->velocity(fixture("input.x"), fixture("input.timestep"), condition_of(fixture));
    (v * weights).sum().backward();
  }

  const auto expected = plain->parameters();
  for (const auto& [name, weight] : fused->parameters()) {
    EXPECT_LE(relative_error(weight.grad(), find(expected, name).grad()), kTolerance) << name;
  }
}

// "blocks.0-29.x" of the manifest stands for thirty names.
std::map<std::string, std::string> manifest_of(const std::string& model) {
  std::ifstream file(std::string(SVI_SOURCE_DIR) + "/tests/data/model/wan_dit_manifest.tsv");
  std::map<std::string, std::string> names;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream row(line);
    std::string kind, name, shape;
    row >> kind >> name >> shape;
    if (kind != model) continue;
    const auto dash = name.find("0-");
    if (dash == std::string::npos) {
      names[name] = shape;
      continue;
    }
    const auto dot = name.find('.', dash);
    const auto last = std::stoi(name.substr(dash + 2, dot - dash - 2));
    for (int i = 0; i <= last; ++i) {
      names["blocks." + std::to_string(i) + name.substr(dot)] = shape;
    }
  }
  return names;
}

struct Official {
  const char* model;
  WanDitConfig config;
  std::size_t tensors;
  std::int64_t numbers;
};

std::vector<Official> official_models() {
  const WanDitConfig small;
  auto large = small;
  large.dim = 5120;
  large.ffn_dim = 13824;
  large.heads = large.layers = 40;
  auto large_image = large;
  large_image.in_dim = 36;
  large_image.image_dim = 1280;
  auto small_image = small;
  small_image.in_dim = 36;
  small_image.image_dim = 1280;
  return {{"wan2.1-t2v-1.3b", small, 825, 1418996800},
          {"wan2.1-t2v-14b", large, 1095, 14288491584},
          {"wan2.1-i2v-14b", large_image, 1303, 16394878784},
          {"wan2.1-fun-1.3b-inp", small_image, 983, 1564428608}};
}

TEST(WanDit, HasExactlyTheNamesAndShapesOfTheOfficialCheckpoints) {
  for (const auto& official : official_models()) {
    const auto manifest = manifest_of(official.model);
    const WanDit dit(official.config, at::TensorOptions(at::kMeta));
    std::map<std::string, std::string> ours;
    std::int64_t numbers = 0;

    for (const auto& [name, weight] : dit.parameters()) {
      std::string shape;
      for (const auto size : weight.sizes())
        shape += (shape.empty() ? "" : "x") + std::to_string(size);
      ours[name] = shape;
      numbers += weight.numel();
    }

    EXPECT_EQ(ours, manifest) << official.model;
    EXPECT_EQ(ours.size(), official.tensors) << official.model;
    EXPECT_EQ(numbers, official.numbers) << official.model;
  }
}

TEST(WanDit, InfersTheSizesOfTheOfficialCheckpoints) {
  for (const auto& official : official_models()) {
    const WanDit dit(official.config, at::TensorOptions(at::kMeta));

    const auto inferred = WanDit::infer(dit.parameters());

    EXPECT_EQ(inferred.dim, official.config.dim);
    EXPECT_EQ(inferred.heads, official.config.heads);
    EXPECT_EQ(inferred.layers, official.config.layers);
    EXPECT_EQ(inferred.ffn_dim, official.config.ffn_dim);
    EXPECT_EQ(inferred.in_dim, official.config.in_dim);
    EXPECT_EQ(inferred.out_dim, official.config.out_dim);
    EXPECT_EQ(inferred.image_dim, official.config.image_dim);
    EXPECT_EQ(inferred.patch, official.config.patch);
  }
}

TEST(WanDit, AsksForTheHeadsWhereWeightsDoNotTellThem) {
  const Fixture fixture("dit_t2v");

  try {
    WanDit::infer(fixture.group("weights."));
    FAIL() << "expected an IoError";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("give heads"));
  }
  EXPECT_THROW(WanDit::infer({{"x", at::zeros({1})}}), IoError);
}

TEST(WanDit, RefusesToInferImpossibleSizes) {
  const auto weights = Fixture("dit_t2v").group("weights.");
  auto flat = weights, far = weights;
  for (auto& [name, tensor] : flat) {
    if (name == "patch_embedding.weight") tensor = tensor.narrow(2, 0, 0);
  }
  far.emplace_back("blocks.9223372036854775807.ffn.0.bias", at::zeros({1}));

  EXPECT_THROW(WanDit::infer(flat, 2), IoError);
  EXPECT_THROW(WanDit::infer(far, 2), IoError);
}

TEST(WanDit, RotaryFrequenciesAndHeadSplitAreThePublishedOnes) {
  const auto [cos, sin] = wan_rope(128, 3, 2, 2);

  ASSERT_EQ(cos.sizes(), at::IntArrayRef({12, 64}));
  // Token 4 is frame 1, row 0, column 0: the first 22 pairs turn by the time frequencies.
  const auto time = at::atan2(sin[4], cos[4]);
  EXPECT_NEAR(time[0].item<float>(), 1, 1e-6);
  EXPECT_NEAR(time[1].item<float>(), .65793322, 1e-6);
  EXPECT_NEAR(time[2].item<float>(), .43287613, 1e-6);
  EXPECT_EQ(time.narrow(0, 22, 42).abs().max().item<float>(), 0);
  // Token 2 is frame 0, row 1, column 0; token 1 is column 1.
  const auto row = at::atan2(sin[2], cos[2]);
  EXPECT_NEAR(row[22].item<float>(), 1, 1e-6);
  EXPECT_NEAR(row[23].item<float>(), .64494668, 1e-6);
  EXPECT_NEAR(row[24].item<float>(), .41595622, 1e-6);
  EXPECT_EQ(row.narrow(0, 43, 21).abs().max().item<float>(), 0);
  const auto column = at::atan2(sin[1], cos[1]);
  EXPECT_NEAR(column[44].item<float>(), .64494668, 1e-6);
}

TEST(WanDit, TimeSinusoidIsThePublishedOne) {
  const auto wave = wan_sinusoid(at::tensor({0.F, 1000.F}), 256)[1];

  const std::map<int, double> published = {{0, .562379},    {1, .789615},   {2, .439954},
                                           {127, .994232},  {128, .826880}, {129, .613603},
                                           {130, -.898020}, {255, .107254}};
  for (const auto& [index, value] : published) {
    EXPECT_NEAR(wave[index].item<double>(), value, 1e-6) << index;
  }
}

WanDitConfig pocket() {
  return {.patch = {1, 2, 2},
          .in_dim = 36,
          .out_dim = 16,
          .dim = 32,
          .ffn_dim = 64,
          .freq_dim = 32,
          .text_dim = 8,
          .text_len = 6,
          .heads = 2,
          .layers = 2};
}

TEST(WanDit, InitialisesBySeedAloneAndPredictsZero) {
  WanDit a(pocket()), b(pocket()), c(pocket());
  a.initialise(7);
  b.initialise(7);
  c.initialise(8);
  const auto pa = a.parameters(), pb = b.parameters(), pc = c.parameters();

  for (std::size_t i = 0; i < pa.size(); ++i) {
    EXPECT_TRUE(at::equal(pa[i].second, pb[i].second)) << pa[i].first;
  }
  EXPECT_FALSE(at::equal(pa[0].second, pc[0].second));
  const auto v = a.velocity(
      at::randn({1, 16, 2, 4, 4}), at::tensor({500.F}),
      {{part::kText, at::randn({1, 6, 8})}, {part::kImage, at::randn({1, 20, 2, 4, 4})}});
  EXPECT_EQ(v.abs().max().item<float>(), 0);
}

TEST(WanDit, LearnsFromScratch) {
  WanDit dit(pocket());
  dit.initialise(1);
  dit.require_grad(true);
  const auto noisy = at::randn({4, 16, 2, 4, 4});
  const auto target = noisy.flip(4);
  const Condition condition{{part::kText, at::randn({4, 6, 8})},
                            {part::kImage, at::randn({4, 20, 2, 4, 4})}};
  const auto timestep = at::tensor({900.F, 600.F, 300.F, 50.F});
  std::vector<double> losses;

  for (int step = 0; step < 40; ++step) {
    const auto loss = (dit.velocity(noisy, timestep, condition) - target).square().mean();
    loss.backward();
    losses.push_back(loss.item<double>());
    const at::NoGradGuard no_grad;
    for (auto& [name, weight] : dit.parameters()) {
      weight.sub_(weight.grad().sign() * 2e-3);
      weight.mutable_grad() = at::Tensor();
    }
  }

  EXPECT_LT(losses.back(), .6 * losses.front());
}

TEST(WanDit, PadsShortTextWithZeros) {
  WanDit dit(pocket());
  dit.initialise(3);
  for (auto& [name, weight] : dit.parameters()) {
    if (name == "head.head.weight") weight.fill_(.1);
  }
  const auto noisy = at::randn({1, 16, 1, 4, 4}), image = at::randn({1, 20, 1, 4, 4});
  const auto text = at::randn({1, 4, 8}), t = at::tensor({700.F});

  const auto padded = dit.velocity(
      noisy, t, {{part::kText, at::constant_pad_nd(text, {0, 0, 0, 2})}, {part::kImage, image}});

  EXPECT_TRUE(
      at::equal(dit.velocity(noisy, t, {{part::kText, text}, {part::kImage, image}}), padded));
}

TEST(WanDit, SaysWhichInputDoesNotFit) {
  WanDit dit(pocket());
  const auto noisy = at::zeros({1, 16, 1, 4, 4}), image = at::zeros({1, 20, 1, 4, 4});
  const auto text = at::zeros({1, 6, 8}), t = at::zeros({1});

  EXPECT_THROW(dit.velocity(noisy, t, {{part::kText, text}}), Error);
  EXPECT_THROW(dit.velocity(noisy, at::zeros({2}), {{part::kText, text}, {part::kImage, image}}),
               Error);
  EXPECT_THROW(dit.velocity(noisy, t, {{part::kText, at::zeros({1, 7, 8})}, {part::kImage, image}}),
               Error);
  EXPECT_THROW(dit.velocity(at::zeros({1, 16, 1, 3, 4}), t,
                            {{part::kText, text}, {part::kImage, at::zeros({1, 20, 1, 3, 4})}}),
               Error);
  auto wrong = pocket();
  wrong.heads = 3;
  EXPECT_THROW(WanDit{wrong}, ConfigError);
}

}  // namespace
}  // namespace svi
