#include <c10/core/GradMode.h>

#include "method/film_bench.hpp"
#include "model/tiny_dit.hpp"
#include "svi/core/check.hpp"
#include "svi/model/extension.hpp"
#include "windows.hpp"

namespace svi {
namespace {

constexpr const char* kPart = "attention_windows";

struct AttentionWindows : ::testing::Test {
  AttentionWindows() {
    load_plugin(PLUGIN_FILE, registry);
    dit.initialise(3);
    at::manual_seed(5);
    for (auto& [name, weight] : dit.parameters()) weight.normal_(0, 0.2);  // the head, too
    auto made = make_extensions(
        registry, Document::parse("[extension.windows]\ntype = free_noise\n", "test.ini"));
    made[0].second->build("windows", dit.extension_host(), 0);
    dit.attach(made[0].second);
  }

  at::Tensor velocity(const at::Tensor& latent, const at::Tensor& windows = {}) const {
    Condition told{{part::kText, text}};
    told.set(kPart, windows);
    return dit.velocity(latent, at::full({1}, 500.0), told);
  }
  /// [1, V, 1 + w]
  static at::Tensor rows(const std::vector<std::int64_t>& firsts, const at::Tensor& shares) {
    const auto first = at::tensor(firsts).to(at::kFloat).unsqueeze(1);
    return at::cat({first, shares}, 1).unsqueeze(0);
  }

  Registry registry;
  WanDit dit{test::tiny_dit(2)};
  at::Tensor text = normal({8, Purpose::test, 0, 0}, {1, 4, 8});
  at::Tensor noisy = normal({8, Purpose::test, 1, 0}, {1, 2, 4, 4, 4});
};

TEST_F(AttentionWindows, OneThatHoldsTheFilmChangesNothing) {
  const c10::NoGradGuard no_grad;
  const auto one = velocity(noisy, rows({0}, at::ones({1, 4})));
  EXPECT_TRUE(at::allclose(one, velocity(noisy), 0, 1e-6));
}

TEST_F(AttentionWindows, ThatDoNotOverlapAreClipsOfTheirOwn) {
  const auto windows = rows({0, 2}, at::ones({2, 2}));
  const auto apart = at::cat({velocity(noisy.narrow(2, 0, 2)), velocity(noisy.narrow(2, 2, 2))}, 2);
  {
    const c10::NoGradGuard no_grad;  // the lean blocks
    EXPECT_TRUE(at::allclose(velocity(noisy, windows), apart, 0, 1e-5));
    EXPECT_GT((velocity(noisy) - apart).abs().max().item<double>(), 1e-3);
  }
  EXPECT_TRUE(at::allclose(velocity(noisy, windows), apart, 0, 1e-5));  // the fused ones
}

TEST_F(AttentionWindows, AreTheSameInAllBlocks) {
  const auto firsts = windows::first_frames(4, 3, 1);
  const auto shares = windows::shares(windows::triangle(3).expand({1, 2, 3}), firsts, 4)[0];
  const auto told = rows(firsts, shares);
  const auto fused = velocity(noisy, told);
  at::Tensor lean;
  {
    const c10::NoGradGuard no_grad;
    lean = velocity(noisy, told);
  }
  EXPECT_TRUE(at::allclose(fused, lean, 0, 1e-5));
  dit.to(at::kCPU, at::kDouble);
  const auto plain = velocity(noisy.to(at::kDouble), told);
  EXPECT_TRUE(at::allclose(plain.to(at::kFloat), lean, 0, 1e-5));
}

TEST_F(AttentionWindows, WhoseSharesDoNotSumToOneAreRefused) {
  const c10::NoGradGuard no_grad;
  EXPECT_THROW(velocity(noisy, rows({0, 2}, at::full({2, 2}, 0.5))), Error);
  EXPECT_THROW(velocity(noisy, rows({0, 3}, at::ones({2, 2}))), Error);
}

}  // namespace
}  // namespace svi
