// Forward passes without gradients in fp32 and bf16, against the plain operations in fp64.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "model/fixtures.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace {

using testing::Fixture;
using testing::relative_error;

constexpr double kFp32 = 1e-4, kBf16 = 2e-2;

double tolerance(at::ScalarType dtype) { return dtype == at::kFloat ? kFp32 : kBf16; }

// A model whose every weight matters, in fp32 with numbers that bf16 has too.
std::unique_ptr<WanDit> lean_model(std::int64_t heads, std::int64_t image_dim = 0) {
  auto dit = std::make_unique<WanDit>(WanDitConfig{.in_dim = 16,
                                                   .dim = 128,
                                                   .ffn_dim = 320,
                                                   .freq_dim = 64,
                                                   .text_dim = 48,
                                                   .text_len = 80,
                                                   .heads = heads,
                                                   .layers = 2,
                                                   .image_dim = image_dim});
  const c10::NoGradGuard no_grad;
  at::manual_seed(7);
  dit->initialise(3);
  for (auto& [name, weight] : dit->parameters()) {
    if (name.ends_with("bias") || name.starts_with("head.head")) weight.normal_(0, .1);
    if (name.find("norm") != std::string::npos) weight.normal_(1, .2);
    weight.copy_(weight.to(at::kBFloat16));
  }
  return dit;
}

std::unique_ptr<WanDit> copy_of(const WanDit& dit, at::ScalarType dtype) {
  auto copy = std::make_unique<WanDit>(dit.config());
  copy->load(dit.parameters());
  copy->to(at::kCPU, dtype);
  return copy;
}

struct Input {
  at::Tensor noisy, timestep;
  Condition condition;
};

Input random_input(at::IntArrayRef latent, std::int64_t text_rows, std::int64_t image_dim = 0) {
  at::manual_seed(11);
  const auto bf16 = [](const at::Tensor& t) { return t.to(at::kBFloat16).to(at::kFloat); };
  const auto B = latent[0];
  Input input{bf16(at::randn(latent)), at::full({B}, 640.F), {}};
  input.condition.set(part::kText, bf16(at::randn({B, text_rows, 48})));
  if (image_dim > 0) input.condition.set(part::kClip, bf16(at::randn({B, 70, image_dim})));
  return input;
}

at::Tensor lean_velocity(const WanDit& dit, const Input& input) {
  const c10::NoGradGuard no_grad;
  return dit.velocity(input.noisy, input.timestep, input.condition);
}

std::shared_ptr<Lora> random_adapter(const WanDit& dit) {
  auto lora = std::make_shared<Lora>(LoraConfig{.rank = 4, .alpha = 2}, dit.linears(), 5);
  const c10::NoGradGuard no_grad;
  for (const auto& adapter : lora->adapters()) adapter.b.normal_(0, .3);
  return lora;
}

struct LeanCase {
  std::string name;
  std::int64_t heads;
  std::vector<std::int64_t> latent;
  std::int64_t text_rows;
  std::int64_t image_dim = 0;
};

class LeanForward : public ::testing::TestWithParam<std::tuple<LeanCase, at::ScalarType>> {};

TEST_P(LeanForward, EqualsPlainOperationsInDoublePrecision) {
  const auto& [size, dtype] = GetParam();
  const auto dit = lean_model(size.heads, size.image_dim);
  const auto input = random_input(size.latent, size.text_rows, size.image_dim);
  const auto lean = copy_of(*dit, dtype);
  dit->to(at::kCPU, at::kDouble);

  EXPECT_LE(relative_error(lean_velocity(*lean, input), lean_velocity(*dit, input)),
            tolerance(dtype));
}

TEST_P(LeanForward, AddsAnAttachedAdapter) {
  const auto& [size, dtype] = GetParam();
  const auto dit = lean_model(size.heads, size.image_dim);
  const auto input = random_input(size.latent, size.text_rows, size.image_dim);
  const auto lean = copy_of(*dit, dtype);
  dit->to(at::kCPU, at::kDouble);
  const auto without = lean_velocity(*dit, input);
  const auto lora = random_adapter(*dit);
  dit->attach(lora);
  lean->attach(lora);

  const auto with = lean_velocity(*dit, input);

  EXPECT_GT(relative_error(with, without), .05);
  EXPECT_LE(relative_error(lean_velocity(*lean, input), with), tolerance(dtype));
}

// Heads of 64 and 128 channels take the tiled attention where the CPU has it, 32 LibTorch's. Token
// counts lie around the tiles (96 queries, 64 keys), with text shorter and longer than a panel.
INSTANTIATE_TEST_SUITE_P(
    Sizes, LeanForward,
    ::testing::Combine(::testing::Values(LeanCase{"OneToken", 1, {1, 16, 1, 2, 2}, 1},
                                         LeanCase{"OnePanel", 2, {1, 16, 1, 16, 16}, 79},
                                         LeanCase{"OneKeyMore", 2, {1, 16, 5, 2, 26}, 80},
                                         LeanCase{"OneQueryMore", 1, {2, 16, 1, 2, 194}, 63},
                                         LeanCase{"ClipTokens", 2, {2, 16, 3, 10, 14}, 12, 24},
                                         LeanCase{"OtherHeads", 4, {2, 16, 3, 10, 14}, 12, 24},
                                         LeanCase{"SeveralSlices", 2, {1, 16, 2, 66, 136}, 20}),
                       ::testing::Values(at::kFloat, at::kBFloat16)),
    [](const auto& test) {
      return std::get<0>(test.param).name +
             (std::get<1>(test.param) == at::kFloat ? "Fp32" : "Bf16");
    });

TEST(LeanForwardThreads, GiveTheSameNumbers) {
  const auto dit = lean_model(2);
  const auto input = random_input({1, 16, 3, 20, 20}, 20);
  const auto threads = at::get_num_threads();

  at::set_num_threads(1);
  const auto one = lean_velocity(*dit, input);
  at::set_num_threads(2);
  const auto two = lean_velocity(*dit, input);
  at::set_num_threads(threads);

  EXPECT_LE(relative_error(two, one), 1e-6);
}

TEST(FusedForward, EqualsDiffusersWhileRecordingGradients) {
  for (const auto* name : {"dit_t2v", "dit_i2v_channels", "dit_i2v_clip", "dit_odd"}) {
    const Fixture fixture(name);
    const auto weights = fixture.group("weights.");
    WanDit dit(WanDit::infer(weights, fixture.heads()));
    dit.load(weights);
    dit.require_grad(true);

    const auto v = dit.velocity(fixture("input.x"), fixture("input.timestep"),
                                {{part::kText, fixture("input.context")},
                                 {part::kImage, fixture("input.y")},
                                 {part::kClip, fixture("input.clip_fea")}});

    EXPECT_TRUE(v.requires_grad());
    EXPECT_LE(relative_error(v.detach(), fixture("output.v")), kFp32) << name;
  }
}

TEST(KeptContexts, ChangeNoNumber) {
  for (const std::int64_t image_dim : {0, 24}) {
    const auto dit = lean_model(2, image_dim);
    auto a = random_input({1, 16, 2, 8, 8}, 30, image_dim), b = a;
    b.condition.set(part::kText, a.condition[part::kText].flip(1));
    const auto first = lean_velocity(*dit, a), second = lean_velocity(*dit, b);

    dit->keep_contexts(1);  // each takes the other's place
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(at::equal(lean_velocity(*dit, a), first));
      EXPECT_TRUE(at::equal(lean_velocity(*dit, b), second));
    }
    dit->keep_contexts(2);
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(at::equal(lean_velocity(*dit, a), first));
      EXPECT_TRUE(at::equal(lean_velocity(*dit, b), second));
    }
  }
}

TEST(KeptContexts, ServeNewTokensOfTheSameCondition) {
  const auto dit = lean_model(2);
  const auto a = random_input({1, 16, 2, 8, 8}, 30);
  auto b = random_input({1, 16, 3, 8, 12}, 30);
  b.condition = a.condition;
  b.timestep = a.timestep / 2;
  const auto expected = lean_velocity(*dit, b);

  dit->keep_contexts(2);
  lean_velocity(*dit, a);

  EXPECT_TRUE(at::equal(lean_velocity(*dit, b), expected));
}

// Whatever `change` does to model and condition, a model that kept contexts follows.
template <class Change>
void expect_followed(const Change& change) {
  const auto kept = lean_model(2, 24), fresh = lean_model(2, 24);
  auto input = random_input({1, 16, 2, 8, 8}, 30, 24);
  kept->keep_contexts(2);
  const auto before = lean_velocity(*kept, input);
  {
    const c10::NoGradGuard no_grad;
    change(*kept, input);
  }
  const auto after = lean_velocity(*kept, input);
  // The change may act on the shared condition twice: give the fresh model its own.
  auto again = random_input({1, 16, 2, 8, 8}, 30, 24);
  {
    const c10::NoGradGuard no_grad;
    change(*fresh, again);
  }
  EXPECT_TRUE(at::equal(after, lean_velocity(*fresh, again)));
  EXPECT_FALSE(at::equal(after, before));
}

at::Tensor mutable_weight(const WanDit& dit, const std::string& name) {
  return testing::find(dit.parameters(), name);
}

TEST(KeptContexts, AreForgottenWhenWeightsOrAdaptersOrConditionsChange) {
  for (const auto* name : {"text_embedding.0.weight", "blocks.1.cross_attn.k.bias",
                           "blocks.0.cross_attn.v.weight", "blocks.1.cross_attn.norm_k.weight",
                           "img_emb.proj.1.weight", "blocks.0.cross_attn.k_img.weight"}) {
    SCOPED_TRACE(name);
    expect_followed([&](WanDit& dit, Input&) { mutable_weight(dit, name).mul_(1.5); });
  }
  expect_followed([](WanDit& dit, Input&) {
    auto other = lean_model(2, 24);
    mutable_weight(*other, "blocks.0.cross_attn.v.weight").neg_();
    dit.load(other->parameters());
  });
  expect_followed([](WanDit& dit, Input&) { dit.to(at::kCPU, at::kBFloat16); });
  expect_followed([](WanDit& dit, Input&) {
    at::manual_seed(1);
    dit.attach(random_adapter(dit));
  });
  expect_followed([](WanDit& dit, Input& input) {
    at::manual_seed(1);
    const auto lora = random_adapter(dit);
    dit.attach(lora);
    lean_velocity(dit, input);
    lora->flat().mul_(2);
  });
  expect_followed([](WanDit&, Input& input) { input.condition[part::kText].mul_(2); });
  expect_followed([](WanDit&, Input& input) { input.condition[part::kClip].mul_(2); });
  expect_followed([](WanDit&, Input& input) {  // the same storage, written through a pointer
    input.condition[part::kText].mutable_data_ptr<float>()[0] += 3;
  });
}

TEST(TextPadding, OfEachLengthEqualsAttendingToEveryZeroRow) {
  const auto dit = lean_model(2);
  const auto plain = copy_of(*dit, at::kDouble);
  for (const std::int64_t rows : {0, 1, 2, 79, 80}) {
    auto input = random_input({2, 16, 1, 8, 8}, 80);
    input.condition[part::kText].narrow(1, rows, 80 - rows).zero_();
    if (rows > 0) input.condition[part::kText][1].zero_();  // samples of different lengths

    EXPECT_LE(relative_error(lean_velocity(*dit, input), lean_velocity(*plain, input)), kFp32)
        << rows;
  }
}

// Where the model sets no length, the number of zero rows is the caller's.
TEST(TextPadding, OfOtherLengthIsAnotherContext) {
  auto config = lean_model(2)->config();
  config.text_len = 0;
  WanDit dit(config);
  dit.load(lean_model(2)->parameters());
  auto shorter = random_input({1, 16, 1, 8, 8}, 20), longer = shorter;
  shorter.condition[part::kText].narrow(1, 10, 10).zero_();
  longer.condition.set(part::kText,
                       at::constant_pad_nd(shorter.condition[part::kText], {0, 0, 0, 60}));
  const auto expected = lean_velocity(dit, longer);

  dit.keep_contexts(2);
  const auto other = lean_velocity(dit, shorter);

  EXPECT_TRUE(at::equal(lean_velocity(dit, longer), expected));
  EXPECT_FALSE(at::equal(other, expected));
}

TEST(TextPadding, InTheMiddleIsKept) {
  const auto dit = lean_model(2);
  const auto plain = copy_of(*dit, at::kDouble);
  auto input = random_input({1, 16, 1, 8, 8}, 40);
  input.condition[part::kText].narrow(1, 3, 20).zero_();

  EXPECT_LE(relative_error(lean_velocity(*dit, input), lean_velocity(*plain, input)), kFp32);
}

}  // namespace
}  // namespace svi
