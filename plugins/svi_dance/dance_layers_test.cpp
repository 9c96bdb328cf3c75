#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/tiny_dit.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/data/tracks.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/lora_files.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

class PoseNetTest : public ::testing::Test {
 protected:
  PoseNetTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::shared_ptr<ModelExtension> pose_net(const std::string& options = {}) const {
    return make_extensions(
               registry_,
               Document::parse("[extension.dance]\ntype = svi_dance\n" + options, "test.ini"))
        .at(0)
        .second;
  }

  Registry registry_;
};

/// The formulas of make_dance_fixtures.py.
NamedTensors formula_weights(const ModelExtension& net) {
  NamedTensors weights;
  std::int64_t index = 0;
  for (const auto& [name, tensor] : net.parameters()) {
    const bool bias = tensor.dim() == 1;
    const double fan_in = bias ? 25 : static_cast<double>(tensor[0].numel());
    const auto layer = index++ / 2 + (bias ? 50 : 0);
    const auto i = at::arange(tensor.numel(), at::kLong);
    const auto values = (i * i * 31 + i * 7919 + layer * 104729).remainder(65521).to(at::kDouble);
    weights.emplace_back(
        name, ((values / 32760 - 1) * std::sqrt(6 / fan_in)).to(at::kFloat).view(tensor.sizes()));
  }
  return weights;
}

at::Tensor formula_levels(at::IntArrayRef sizes) {
  const auto index = at::arange(c10::multiply_integers(sizes), at::kLong);
  return (index * index * 31 + index * 7919)
      .remainder(65521)
      .remainder(256)
      .to(at::kByte)
      .view(sizes);
}

class PoseNetParityTest : public PoseNetTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(PoseNetParityTest, EqualsAPlainRestatement) {
  const auto file =
      SafetensorsFile::open(cat(SVI_SOURCE_DIR "/tests/data/dance/", GetParam(), ".safetensors"));
  const auto sizes = file.load("sizes");
  const auto at = [&](std::int64_t i) { return sizes[i].item<std::int64_t>(); };
  const auto net = pose_net();
  net->build("dance", {.dim = at(4), .heads = 1, .layers = 1}, 1);
  net->load(formula_weights(*net), GetParam());
  Condition told;
  told.set(part::kPose, told_values(formula_levels({at(0), at(1), 3, at(2), at(3)})));
  const auto time = at::zeros({at(0)});
  const std::function<at::Tensor(const at::Tensor&)> embed;
  const auto made = net->begin({told, time, at(0), {at(5), at(6), at(7)}, embed});
  const auto expected = file.load("tokens");
  const auto error = ((made.residual - expected).abs().max() / expected.abs().max()).item<double>();
  RecordProperty("error", cat(error));
  std::cout << GetParam() << ": " << error << std::endl;
  EXPECT_LE(error, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Sizes, PoseNetParityTest,
                         ::testing::Values("net_official", "net_pocket", "net_stride_two",
                                           "net_coarse", "net_one_frame"));

TEST_F(PoseNetTest, HasTheOfficialNamesAndSizes) {
  const auto net = pose_net();
  net->build("dance", {.dim = 5120, .heads = 40, .layers = 40}, 1);
  std::int64_t count = 0;
  std::string names;
  for (const auto& [name, tensor] : net->parameters()) {
    names += cat(name, " ", tensor.sizes(), "\n");
    count += tensor.numel();
  }
  EXPECT_EQ(count, 368'752);
  std::string expected;
  for (int i = 0; i <= 12; i += 2) {
    const auto* weight = i == 0   ? "[16, 3, 3, 3, 3]"
                         : i < 12 ? "[16, 16, 3, 3, 3]"
                                  : "[5120, 16, 1, 2, 2]";
    expected += cat("dwpose_embedding.", i, ".weight ", weight, "\ndwpose_embedding.", i, ".bias [",
                    i < 12 ? 16 : 5120, "]\n");
  }
  EXPECT_EQ(names, expected);
  EXPECT_NEAR(net->options().drop, 0.145, 1e-12);
}

/// A transformer of one block whose tokens stand for a latent frame of 2 x 2.
struct PosedModel {
  PosedModel() : dit(test::tiny_dit()) {
    at::manual_seed(3);
    for (auto& [name, weight] : dit.parameters()) weight.normal_(0, 0.2);
  }
  at::Tensor velocity(const at::Tensor& shown) const {
    auto told = text;
    if (shown.defined()) told.set(part::kPose, shown);
    return dit.velocity(noisy, time, told);
  }

  WanDit dit;
  at::Tensor noisy = normal({1, Purpose::test, 1, 0}, {1, 2, 3, 4, 4});
  at::Tensor time = at::tensor({600.F});
  at::Tensor pose = told_values(formula_levels({1, 9, 3, 32, 32}));
  Condition text{{part::kText, normal({1, Purpose::test, 3, 0}, {1, 4, 8})}};
};

TEST_F(PoseNetTest, ChangesNoBitBeforeItIsTrainedOrWhereNoPoseIsTold) {
  const auto net = pose_net();
  PosedModel model;
  net->build("dance", model.dit.extension_host(), 1);
  const auto before = model.velocity({});
  model.dit.attach(net);
  EXPECT_TRUE(at::equal(model.velocity(model.pose), before));
  net->load(formula_weights(*net), "formulas");
  EXPECT_GT((model.velocity(model.pose) - before).abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(at::equal(model.velocity(at::zeros_like(model.pose)), before));
}

TEST_F(PoseNetTest, IsReadFromItsOwnFilesAndFromAdaptersThatHoldOne) {
  const TemporaryFolder folder;
  const auto net = pose_net();
  const ExtensionHost host{.dim = 8, .heads = 1, .layers = 1};
  net->build("dance", host, 1);
  net->load(formula_weights(*net), "formulas");
  net->save(folder / "own.safetensors");
  NamedTensors adapter = {
      {"pipe.dit.blocks.0.self_attn.q.lora_A.default.weight", at::ones({2, 8})},
      {"pipe.dit.blocks.0.self_attn.q.lora_B.default.weight", at::ones({8, 2})}};
  save_safetensors(folder / "plain.safetensors", adapter);
  for (const auto& [name, tensor] : net->parameters())
    adapter.emplace_back("module.model." + name, tensor.detach());
  save_safetensors(folder / "dance.safetensors", adapter);
  for (const auto* file : {"own.safetensors", "dance.safetensors"}) {
    const auto again = pose_net();
    again->build("dance", host, 2);
    again->load_file(folder / file);
    for (std::size_t i = 0; i < net->parameters().size(); ++i)
      EXPECT_TRUE(at::equal(again->parameters()[i].second, net->parameters()[i].second)) << file;
  }
  // The other half of that file is the adapter.
  const auto lora = LoraFile::open(folder / "dance.safetensors");
  EXPECT_EQ(lora.updates.size(), 1u);
  EXPECT_EQ(lora.others.size(), 14u);

  const auto problem = [&](const std::string& file) -> std::string {
    try {
      pose_net()->load_file(file);
    } catch (const IoError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(problem(folder / "plain.safetensors"),
              HasSubstr("plain.safetensors: has no tensors dwpose_embedding.*, but 2 others"));
  adapter.pop_back();
  save_safetensors(folder / "cut.safetensors", adapter);
  const auto other = pose_net();
  other->build("dance", host, 2);
  try {
    other->load_file(folder / "cut.safetensors");
    FAIL() << "half a pose net was taken";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("dwpose_embedding.12.bias: expected [8], missing"));
  }
}

TEST_F(PoseNetTest, TrainsFromItsFreshStart) {
  const c10::AutoGradMode gradients(true);
  const auto net = pose_net();
  PosedModel model;
  net->build("dance", model.dit.extension_host(), 1);
  net->require_grad(true);
  model.dit.attach(net);
  model.velocity(model.pose).square().sum().backward();
  EXPECT_GT(net->parameters()[12].second.grad().abs().max().item<double>(), 0);
}

// A change of one pose reaches only tokens near its latent frame: three-wide kernels see
// neighbours, nothing sees far away.
TEST_F(PoseNetTest, KeepsEachPoseAtItsLatentFrame) {
  const auto net = pose_net();
  net->build("dance", {.dim = 8, .heads = 1, .layers = 1}, 1);
  net->load(formula_weights(*net), "formulas");
  const std::function<at::Tensor(const at::Tensor&)> embed;
  const auto time = at::zeros({1});
  const auto tokens = [&](const at::Tensor& levels) {  // [F, D]: frames of 21, each one token
    Condition told;
    told.set(part::kPose, told_values(levels.view({1, 81, 3, 16, 16})));
    return net->begin({told, time, 1, {21, 1, 1}, embed}).residual[0];
  };
  const auto poses = formula_levels({81, 3, 16, 16});
  const auto before = tokens(poses);
  for (const std::int64_t t : {0, 1, 38, 40, 80}) {
    auto other = poses.clone();
    other[t] = 255 - other[t];
    const auto changed = (tokens(other) - before).abs().amax(1);  // [F]
    const auto own = (t + 3) / 4;
    EXPECT_LE(std::abs(changed.argmax().item<std::int64_t>() - own), 1) << t;
    for (std::int64_t f = 0; f < 21; ++f) {
      if (std::abs(f - own) > 3) {
        EXPECT_EQ(changed[f].item<double>(), 0) << t << " " << f;
      }
    }
  }
}

TEST_F(PoseNetTest, RefusesPosesThatDoNotFitByName) {
  const auto net = pose_net();
  const auto problem = [&](at::IntArrayRef sizes, TokenGrid grid) -> std::string {
    net->build("dance", {.dim = 8, .heads = 1, .layers = 1}, 1);
    Condition told;
    told.set(part::kPose, at::ones(sizes));
    const auto time = at::zeros({1});
    const std::function<at::Tensor(const at::Tensor&)> embed;
    try {
      net->begin({told, time, 1, grid, embed});
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(problem({1, 9, 3, 32, 32}, {3, 2, 2}), HasSubstr("no error"));
  EXPECT_THAT(problem({1, 8, 3, 32, 32}, {3, 2, 2}), HasSubstr("has 8 frames of 32x32 pixels"));
  EXPECT_THAT(problem({1, 9, 3, 32, 48}, {3, 2, 2}), HasSubstr("do not divide into 3 x 2 x 2"));
  EXPECT_THAT(problem({1, 9, 3, 24, 24}, {3, 2, 2}), HasSubstr("needs powers of two"));
  EXPECT_THAT(problem({1, 9, 1, 32, 32}, {3, 2, 2}), HasSubstr("[extension.dance] reads"));
  try {
    net->build("dance", {.dim = 8, .heads = 1, .layers = 1, .patch = {2, 2, 2}}, 1);
    FAIL() << "patches over time were taken";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("needs patches of one"));
  }
}

}  // namespace
}  // namespace svi
