#include "vision/transformers/dreamsim.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/hashed_weights.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "vision/network_shapes.hpp"

namespace svi::vision {
namespace {

using ::testing::HasSubstr;

/// A small ensemble as DreamSim's release holds it.
class DreamSimTest : public ::testing::Test {
 protected:
  DreamSimTest() {
    files_ = {write("dino", testing::dino_shapes(64, 2, 8, 3)),
              write("clip", testing::dreamsim_clip_shapes(64, 2, 8, 3, 32)),
              write("open_clip", testing::dreamsim_clip_shapes(64, 2, 8, 3, 32)),
              folder_ / "adapter_model.safetensors", folder_ / "adapter_config.json"};
    adapter_ = testing::dreamsim_adapter(64, 2, 4);
    save_safetensors(files_.lora, adapter_);
    std::ofstream(files_.lora_config) << R"({"r": 4, "lora_alpha": 2.0, "bias": "none"})";
  }
  std::string write(const std::string& name, const testing::Shapes& shapes) {
    const auto path = folder_ / (name + ".safetensors");
    NamedTensors tensors;
    for (const auto& [key, sizes] : shapes)
      tensors.emplace_back(key, testing::hashed_weight(name + "." + key, sizes));
    save_safetensors(path, tensors);
    return path;
  }
  std::string refused() {
    try {
      const DreamSim network(files_);
    } catch (const IoError& error) {
      return error.what();
    }
    return "nothing was thrown";
  }

  TemporaryFolder folder_;
  DreamSimFiles files_;
  NamedTensors adapter_;
};

TEST_F(DreamSimTest, AgreesWithItsNetworksAndChangesSideBySide) {
  const auto wanted =
      SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/dreamsim.safetensors")
          .load("embeddings");
  const DreamSim network(files_);
  EXPECT_EQ(network.side(), 24);
  const auto seen = network((testing::hashed("frames", {2, 3, 24, 24}) + 1) / 2);
  ASSERT_EQ(seen.sizes(), wanted.sizes());
  EXPECT_LT((seen - wanted).abs().max().item<double>(), 1e-5);  // of vectors of length 1
}

TEST_F(DreamSimTest, RefusesAnAdapterThatDoesNotFit) {
  auto other = adapter_;
  other[0].second = at::zeros({4, 32});
  save_safetensors(files_.lora, other);
  EXPECT_THAT(refused(), HasSubstr("adapter_model.safetensors: its change of "
                                   "blocks.0.attn.qkv.weight in extractor_list.0 does not fit"));
  other = {adapter_[0], adapter_[1]};
  save_safetensors(files_.lora, other);
  EXPECT_THAT(refused(), HasSubstr("changes nothing in extractor_list.1"));
  other = testing::dreamsim_adapter(64, 3, 4);
  save_safetensors(files_.lora, other);
  EXPECT_THAT(refused(), HasSubstr("changes blocks.2.attn.qkv in extractor_list.0"));
}

TEST_F(DreamSimTest, RefusesSettingsWithoutAlpha) {
  std::ofstream(files_.lora_config) << R"({"r": 4})";
  EXPECT_THAT(refused(), HasSubstr("adapter_config.json: tells no lora_alpha"));
  std::ofstream(files_.lora_config) << R"({"lora_alpha": "no"})";
  EXPECT_THAT(refused(), HasSubstr("adapter_config.json: tells no lora_alpha"));
}

}  // namespace
}  // namespace svi::vision
