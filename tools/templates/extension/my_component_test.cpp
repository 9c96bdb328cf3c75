#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

WanDitConfig small_model() {
  WanDitConfig config;
  config.in_dim = 2;
  config.out_dim = 2;
  config.dim = 24;
  config.ffn_dim = 48;
  config.freq_dim = 16;
  config.text_dim = 8;
  config.text_len = 4;
  config.heads = 2;
  config.layers = 2;
  return config;
}

class MyComponentTest : public ::testing::Test {
 protected:
  MyComponentTest() : dit_(small_model()) {
    load_plugin(PLUGIN_FILE, registry_);
    at::manual_seed(3);
    for (auto& [name, weight] : dit_.parameters()) weight.normal_(0, 0.2);
  }

  std::shared_ptr<ModelExtension> extension(const std::string& options = "") const {
    const auto document =
        Document::parse("[extension.mine]\ntype = my_component\nwidth = 3\n" + options, "test.ini");
    auto made = make_extensions(registry_, document).at(0);
    made.second->build(made.first, dit_.extension_host(), 1);
    return made.second;
  }

  Registry registry_;
  WanDit dit_;
  at::Tensor noisy_ = normal({1, Purpose::test, 1, 0}, {2, 2, 3, 4, 4});
  at::Tensor times_ = at::tensor({600.F, 200.F});
  Condition told_{{part::kText, normal({1, Purpose::test, 2, 0}, {2, 4, 8})}};
};

TEST_F(MyComponentTest, ChangesNoBitBeforeItIsTrained) {
  const auto before = dit_.velocity(noisy_, times_, told_);
  dit_.attach(extension());
  EXPECT_TRUE(at::equal(dit_.velocity(noisy_, times_, told_), before));
}

TEST_F(MyComponentTest, AddsTwoLayersOnceItIsTrained) {
  const auto made = extension();
  at::manual_seed(4);
  for (const auto& [name, tensor] : made->parameters()) tensor.normal_(0, 0.3);
  const auto before = dit_.velocity(noisy_, times_, told_);
  const auto tokens = normal({1, Purpose::test, 3, 0}, {2, 12, 24});
  const auto added = made->after_cross_attention({1, tokens, {3, 2, 2}, {}});
  const auto& all = made->parameters();  // four of block 0, then those of block 1
  const auto inner = at::gelu(at::matmul(tokens, all[4].second.t()) + all[5].second);
  EXPECT_LT(
      (added - at::matmul(inner, all[6].second.t()) - all[7].second).abs().max().item<float>(),
      1e-5);
  dit_.attach(made);
  EXPECT_FALSE(at::equal(dit_.velocity(noisy_, times_, told_), before));
}

TEST_F(MyComponentTest, RefusesLayersWithoutWidth) {
  EXPECT_THROW(extension("width = 0\n"), ConfigError);
}

}  // namespace
}  // namespace svi
