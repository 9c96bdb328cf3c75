// Frames behind others whose keys and values were kept, against a plain statement in fp64 that
// keeps nothing.
#include "svi/model/causal.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "model/causal_oracle.hpp"
#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace {

using test::CausalOracle;
using ::testing::HasSubstr;
using testing::relative_error;

// Heads of 12 go through LibTorch's attention, heads of 64 through the flash kernel.
std::unique_ptr<WanDit> causal_model(std::int64_t head_dim, at::ScalarType dtype) {
  auto dit = std::make_unique<WanDit>(WanDitConfig{.in_dim = 5,
                                                   .out_dim = 2,
                                                   .dim = 2 * head_dim,
                                                   .ffn_dim = 72,
                                                   .freq_dim = 16,
                                                   .text_dim = 8,
                                                   .text_len = 6,
                                                   .heads = 2,
                                                   .layers = 3});
  at::manual_seed(3);
  for (auto& [name, weight] : dit->parameters()) weight.normal_(0, 0.2);
  dit->to(at::kCPU, dtype);
  return dit;
}

struct CausalInput {
  at::Tensor noisy, times, text, image;

  explicit CausalInput(std::int64_t frames, std::int64_t batch = 1) {
    at::manual_seed(6);
    noisy = at::randn({batch, 2, frames, 4, 6});
    image = at::randn({batch, 3, frames, 4, 6});
    text = at::randn({batch, 4, 8});
    times = at::rand({batch, frames}) * 1000;
  }
  /// Of frames first .. first + count - 1, behind `past`.
  at::Tensor velocity(const WanDit& dit, const FrameKeys& past, std::int64_t first,
                      std::int64_t count, FrameKeys* kept = nullptr) const {
    return dit.velocity_behind(past, noisy.narrow(2, first, count), times.narrow(1, first, count),
                               {{part::kText, text}, {part::kImage, image.narrow(2, first, count)}},
                               kept);
  }
  at::Tensor expected(const WanDit& dit, const std::vector<CausalOracle::Run>& runs) const {
    const CausalOracle oracle(dit);
    const auto input = at::cat({noisy, image}, 1);
    std::vector<at::Tensor> samples;
    for (std::int64_t b = 0; b < input.size(0); ++b)
      samples.push_back(oracle.velocity(input[b], times[b], text[b], runs));
    return at::stack(samples);
  }
};

class CausalFrames : public ::testing::TestWithParam<std::tuple<std::int64_t, at::ScalarType>> {
 protected:
  std::unique_ptr<WanDit> dit = causal_model(std::get<0>(GetParam()), std::get<1>(GetParam()));
  /// Norms, modulation and rotation are fp32 in both dtypes.
  double tolerance = std::get<1>(GetParam()) == at::kDouble ? 1e-6 : 1e-5;
  at::NoGradGuard no_grad;
};

TEST_P(CausalFrames, WithoutAPastAreThoseOfVelocity) {
  const CausalInput in(3, 2);
  const auto whole =
      dit->velocity(in.noisy, in.times, {{part::kText, in.text}, {part::kImage, in.image}});
  EXPECT_TRUE(at::equal(in.velocity(*dit, {}, 0, 3), whole));
}

TEST_P(CausalFrames, BehindKeptOnesAreThoseOfAllComputedAgain) {
  const CausalInput in(6, 2);
  FrameKeys past;
  std::vector<at::Tensor> made;
  for (const auto& [first, count] : {std::pair{0, 2}, {2, 1}, {3, 3}}) {
    FrameKeys kept;
    made.push_back(in.velocity(*dit, past, first, count, &kept));
    EXPECT_EQ(kept.frames, count);
    past.append(kept);
  }
  EXPECT_EQ(past.frames, 6);
  const auto expected =
      in.expected(*dit, {{{0, 1}, {0, 1}}, {{2}, {0, 1, 2}}, {{3, 4, 5}, {0, 1, 2, 3, 4, 5}}});
  EXPECT_LE(relative_error(at::cat(made, 2), expected), tolerance);
}

TEST_P(CausalFrames, CloseRanksWhereOthersLeave) {
  const CausalInput in(6, 2);
  FrameKeys past, kept;
  in.velocity(*dit, {}, 0, 2, &past);
  for (const std::int64_t frame : {2, 3, 4}) {
    in.velocity(*dit, past, frame, 1, &kept);
    past.append(kept);
    past = past.only({0, past.frames - 1});  // the first one, and the last
    EXPECT_EQ(past.frames, 2);
  }
  const auto behind = in.velocity(*dit, past, 5, 1);
  const auto expected = in.expected(
      *dit,
      {{{0, 1}, {0, 1}}, {{2}, {0, 1, 2}}, {{3}, {0, 2, 3}}, {{4}, {0, 3, 4}}, {{5}, {0, 4, 5}}});
  EXPECT_LE(relative_error(behind, expected.narrow(2, 5, 1)), tolerance);
}

TEST_P(CausalFrames, CostTheirOwnTokensAndTheBytesOfTheirKeys) {
  const CausalInput in(4);
  FrameKeys past;
  const auto before = dit->tokens();
  in.velocity(*dit, {}, 0, 3, &past);
  in.velocity(*dit, past, 3, 1);
  EXPECT_EQ(dit->tokens() - before, 4 * 6);  // six tokens a frame
  const auto size = static_cast<std::int64_t>(c10::elementSize(std::get<1>(GetParam())));
  EXPECT_EQ(past.bytes(), 2 * dit->config().layers * 3 * 6 * dit->config().dim * size);
}

INSTANTIATE_TEST_SUITE_P(Heads, CausalFrames,
                         ::testing::Combine(::testing::Values(12, 64),
                                            ::testing::Values(at::kFloat, at::kDouble)));

struct Nothing final : ModelExtension {
  explicit Nothing(const ExtensionHost& host) : ModelExtension({}) { build("lamp", host, 0); }

 private:
  std::vector<ParameterSpec> do_parameters(const ExtensionHost&) const override { return {}; }
  ExtensionInputs do_begin(const ExtensionPass&) const override { return {}; }
};

template <class Kind>
std::string refusal_from(const std::function<void()>& action) {
  try {
    action();
  } catch (const Kind& error) {
    return error.what();
  }
  return "accepted";
}

TEST(CausalFrameKeys, RefuseWhatDoesNotFit) {
  const auto dit = causal_model(12, at::kFloat);
  const CausalInput in(3), two(3, 2);
  EXPECT_THAT(refusal_from<Error>([&] { in.velocity(*dit, {}, 0, 3); }), HasSubstr("NoGradGuard"));
  const at::NoGradGuard no_grad;
  FrameKeys past;
  in.velocity(*dit, {}, 0, 2, &past);
  EXPECT_THAT(refusal_from<Error>([&] { two.velocity(*dit, past, 2, 1); }),
              HasSubstr("does not fit a batch of 2"));
  EXPECT_THAT(refusal_from<Error>([&] {
                static_cast<void>(past.only({0, 2}));
              }),
              HasSubstr("frame 2 of 2"));
  FrameKeys other;
  two.velocity(*dit, {}, 0, 1, &other);
  EXPECT_THAT(refusal_from<Error>([&] { past.append(other); }), HasSubstr("do not fit"));
  dit->attach(std::make_shared<Nothing>(dit->extension_host()));
  EXPECT_THAT(refusal_from<ConfigError>([&] { in.velocity(*dit, past, 2, 1); }),
              HasSubstr("[extension.lamp]"));
}

}  // namespace
}  // namespace svi
