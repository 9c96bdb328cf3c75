#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/parallel/mpi_collective.hpp"

namespace svi {
namespace {

using testing::Fixture;
using ::testing::HasSubstr;
using testing::relative_error;

constexpr std::int64_t kHeads = 4;

/// Sizes of I2V with image tokens; a head of 64 channels takes the flash kernel where there is one,
/// 12 channels LibTorch's attention.
WanDitConfig sizes(std::int64_t head_dim) {
  WanDitConfig config;
  config.in_dim = 20;
  config.out_dim = 8;
  config.dim = kHeads * head_dim;
  config.ffn_dim = 96;
  config.freq_dim = 32;
  config.text_dim = 24;
  config.text_len = 12;
  config.heads = kHeads;
  config.layers = 3;
  config.image_dim = 16;
  return config;
}

/// The same on every rank.
std::unique_ptr<WanDit> random_model(const WanDitConfig& config, at::ScalarType dtype) {
  auto dit = std::make_unique<WanDit>(config);
  at::manual_seed(3);
  for (auto& [name, weight] : dit->parameters()) weight.normal_(0, 0.1);
  dit->to(at::kCPU, dtype);
  return dit;
}

/// Two samples of 3 x 3 x 5 tokens, a number that neither 2 nor 4 ranks divide.
struct Inputs {
  Inputs() {
    at::manual_seed(4);
    noisy = at::randn({2, 8, 3, 6, 10});
    condition = {{part::kText, at::randn({2, 9, 24})},
                 {part::kImage, at::randn({2, 12, 3, 6, 10})},
                 {part::kClip, at::randn({2, 7, 16})}};
  }
  at::Tensor noisy;
  at::Tensor timestep = at::full({2}, 700.0);
  Condition condition;
};

at::Tensor velocity(const WanDit& dit, const Inputs& inputs) {
  const at::NoGradGuard no_grad;
  return dit.velocity(inputs.noisy, inputs.timestep, inputs.condition);
}

void split(WanDit& dit, const Communicator& group) {
  dit.split_over(group, std::make_unique<MpiCollective>());
}

/// The tensor of the group's first rank.
at::Tensor first_of(const at::Tensor& tensor, const Communicator& group) {
  MpiCollective collective;
  collective.connect(group);
  auto copy = tensor.clone();
  collective.broadcast(copy, 0);
  return copy;
}

struct Case {
  const char* name;
  at::ScalarType dtype;
  std::int64_t head_dim;
  double tolerance;
};

// fp64 takes the plain operations, fp32 and bf16 the lean ones.
class Split : public ::testing::TestWithParam<Case> {};

TEST_P(Split, EqualsOneProcessOnEveryRankWithUnevenTokensAndAdapters) {
  const auto& [name, dtype, head_dim, tolerance] = GetParam();
  const auto world = Communicator::world();
  const auto dit = random_model(sizes(head_dim), dtype);
  const Inputs inputs;
  const auto bare = velocity(*dit, inputs);
  auto lora = std::make_shared<Lora>(LoraConfig{.rank = 4, .alpha = 4}, dit->linears(), 5);
  lora->flat().normal_(0, 0.1);
  dit->attach(lora);
  const auto whole = velocity(*dit, inputs);

  split(*dit, world);
  const auto together = velocity(*dit, inputs);

  EXPECT_LE(relative_error(together, whole), tolerance);
  EXPECT_GT(relative_error(bare, whole), 2 * tolerance);
  EXPECT_TRUE(at::equal(together, first_of(together, world)));
  dit->keep_contexts(1);
  EXPECT_TRUE(at::equal(velocity(*dit, inputs), together));
  EXPECT_TRUE(at::equal(velocity(*dit, inputs), together));
  split(*dit, Communicator::self());
  EXPECT_TRUE(at::equal(velocity(*dit, inputs), whole));
}

INSTANTIATE_TEST_SUITE_P(PathsAndSizes, Split,
                         ::testing::Values(Case{"plain", at::kDouble, 12, 1e-5},
                                           Case{"lean", at::kFloat, 12, 1e-5},
                                           Case{"flash", at::kFloat, 64, 1e-5},
                                           Case{"half", at::kBFloat16, 12, 2e-2},
                                           Case{"half_flash", at::kBFloat16, 64, 2e-2}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(SplitModel, StreamsBlocksIn8BitsLikeOneProcess) {
  const auto dit = random_model(sizes(64), at::kFloat);
  dit->quantise({.allow = true});
  dit->place({.resident_blocks = 1, .storage = WeightStorage::stored});
  const Inputs inputs;
  Inputs per_frame;
  per_frame.timestep = at::tensor({0.F, 500.F, 1000.F, 900.F, 10.F, 300.F}).view({2, 3});
  const auto whole = velocity(*dit, inputs), whole_per_frame = velocity(*dit, per_frame);

  split(*dit, Communicator::world());

  EXPECT_LE(relative_error(velocity(*dit, inputs), whole), 1e-5);
  EXPECT_LE(relative_error(velocity(*dit, per_frame), whole_per_frame), 1e-5);
}

TEST(SplitModel, NamesTheBlockThatIsNotFiniteOnEveryRank) {
  const auto dit = random_model(sizes(12), at::kFloat);
  testing::find(dit->parameters(), "blocks.1.ffn.0.weight").view(-1)[5] = NAN;
  const Inputs inputs;
  split(*dit, Communicator::world());

  const auto where = dit->first_non_finite(inputs.noisy, inputs.timestep, inputs.condition);

  EXPECT_THAT(where, HasSubstr("block 1, feed-forward"));
}

class SplitOracle : public ::testing::TestWithParam<const char*> {};

TEST_P(SplitOracle, EqualsDiffusersWithRandomWeights) {
  const Fixture fixture(GetParam());
  const auto weights = fixture.group("weights.");
  WanDit dit(WanDit::infer(weights, fixture.heads()));
  dit.load(weights);
  const auto world = Communicator::world();
  const auto most = static_cast<int>(fixture.heads());  // ranks of a group
  split(dit, world.split(world.rank() / most, world.rank()));

  const at::NoGradGuard no_grad;
  const auto v = dit.velocity(fixture("input.x"), fixture("input.timestep"),
                              {{part::kText, fixture("input.context")},
                               {part::kImage, fixture("input.y")},
                               {part::kClip, fixture("input.clip_fea")}});

  EXPECT_LE(relative_error(v, fixture("output.v")), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Configurations, SplitOracle,
                         ::testing::Values("dit_t2v", "dit_i2v_channels", "dit_i2v_clip", "dit_odd",
                                           "dit_frame_time"),
                         [](const auto& test) { return std::string(test.param); });

TEST(SplitRefuses, MoreRanksThanHeadsOrTokens) {
  const auto world = Communicator::world();
  if (world.size() == 1) GTEST_SKIP() << "one rank is never too many";
  auto config = sizes(12);
  auto inputs = Inputs();
  const auto dit = random_model(config, at::kFloat);
  split(*dit, world);
  inputs.noisy = inputs.noisy.slice(2, 0, 1).slice(3, 0, 2).slice(4, 0, 2);  // one token
  inputs.condition.set(part::kImage,
                       inputs.condition[part::kImage].slice(2, 0, 1).slice(3, 0, 2).slice(4, 0, 2));
  EXPECT_THROW(velocity(*dit, inputs), Error);

  config.heads = 1;
  try {
    split(*random_model(config, at::kFloat), world);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("1 to 1 ranks"));
  }
}

TEST(SplitRefuses, ToRecordGradients) {
  const auto world = Communicator::world();
  if (world.size() == 1) GTEST_SKIP() << "one rank is not split";
  const auto dit = random_model(sizes(12), at::kFloat);
  split(*dit, world);
  const Inputs inputs;
  EXPECT_THROW(dit->velocity(inputs.noisy, inputs.timestep, inputs.condition), Error);
}

/// Has no parameters and adds nothing.
class SilentExtension final : public ModelExtension {
 public:
  SilentExtension() : ModelExtension({}) {}

 private:
  std::vector<ParameterSpec> do_parameters(const ExtensionHost&) const override { return {}; }
  ExtensionInputs do_begin(const ExtensionPass&) const override { return {}; }
};

TEST(SplitExtensions, AreRefusedByNameOnEveryRank) {
  const auto world = Communicator::world();
  const auto dit = random_model(sizes(12), at::kFloat);
  const auto extension = std::make_shared<SilentExtension>();
  extension->build("voice", dit->extension_host(), 0);
  dit->attach(extension);
  const Inputs inputs;
  const auto whole = velocity(*dit, inputs);
  split(*dit, world);
  if (world.size() == 1) {
    EXPECT_TRUE(at::equal(velocity(*dit, inputs), whole));
    return;
  }
  try {
    velocity(*dit, inputs);
    FAIL() << "a split model ran an extension";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("[extension.voice] needs all tokens of a clip on one rank"));
  }
}

}  // namespace
}  // namespace svi
