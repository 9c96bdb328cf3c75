#include "svi/model/key_maps.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "model/fixtures.hpp"
#include "svi/core/check.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/vae.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

/// Rows of a manifest under tests/data; "blocks.0-39." stands for each of 40 blocks.
NamedTensors manifest(const std::string& file, const std::string& model) {
  std::ifstream in(std::string(SVI_SOURCE_DIR) + "/tests/data/" + file);
  NamedTensors tensors;
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string kind, name, text;
    if (!model.empty()) std::getline(fields, kind, '\t');  // else the file is of one model
    std::getline(fields, name, '\t');
    std::getline(fields, text, '\t');
    if (kind != model || name == "name") continue;
    std::vector<std::int64_t> shape;
    std::istringstream sizes(text == "scalar" ? "" : text);
    for (std::string size; std::getline(sizes, size, 'x');) shape.push_back(std::stoll(size));
    const auto tensor = at::empty(shape, at::TensorOptions(at::kMeta).dtype(at::kFloat));
    const auto range = name.find(".0-");
    if (range == std::string::npos) {
      tensors.emplace_back(name, tensor);
      continue;
    }
    const auto end = name.find('.', range + 3);
    const auto last = std::stoi(name.substr(range + 3, end - range - 3));
    for (int i = 0; i <= last; ++i)
      tensors.emplace_back(cat(name.substr(0, range + 1), i, name.substr(end)), tensor);
  }
  return tensors;
}

Shapes shapes_of(const NamedTensors& tensors) {
  Shapes shapes;
  for (const auto& [name, tensor] : tensors) shapes[name] = tensor.sizes().vec();
  return shapes;
}

struct NamingCase {
  WeightKind kind;
  const char* official_file;
  const char* official;
  const char* other;  // in other_names.tsv
};

class KeyMap : public ::testing::TestWithParam<NamingCase> {
 protected:
  /// What of the official file has a place in the other library.
  NamedTensors ours() const {
    NamedTensors kept;
    for (auto& named : manifest(GetParam().official_file, GetParam().official)) {
      const bool elsewhere = named.first.starts_with("textual.") || named.first == "log_scale" ||
                             named.first == "visual.head";
      if (!elsewhere) kept.push_back(std::move(named));
    }
    return kept;
  }
};

TEST_P(KeyMap, NamesOfTheOtherLibraryBecomeExactlyTheOfficialOnes) {
  const auto theirs = manifest("model/other_names.tsv", GetParam().other);
  ASSERT_FALSE(theirs.empty());
  EXPECT_EQ(weight_kind(theirs), GetParam().kind);
  EXPECT_EQ(shapes_of(to_official(theirs, GetParam().kind, "file")), shapes_of(ours()));
}

TEST_P(KeyMap, OfficialNamesBecomeExactlyThoseOfTheOtherLibrary) {
  auto theirs = shapes_of(manifest("model/other_names.tsv", GetParam().other));
  theirs.erase("encoder.embed_tokens.weight");  // the same tensor as shared.weight
  EXPECT_EQ(shapes_of(from_official(ours(), GetParam().kind, WeightNaming::diffusers)), theirs);
}

TEST_P(KeyMap, ThereAndBackNothingHasChanged) {
  const auto kind = GetParam().kind;
  for (const auto naming :
       {WeightNaming::official, WeightNaming::diffusers, WeightNaming::comfyui}) {
    const auto there = from_official(ours(), kind, naming);
    EXPECT_EQ(shapes_of(to_official(there, kind, "file")), shapes_of(ours()));
  }
}

TEST_P(KeyMap, WrappersAreTakenOff) {
  for (const auto* prefix : {"model.", "module.", "diffusion_model.", "model.diffusion_model."}) {
    NamedTensors wrapped;
    for (const auto& [name, tensor] : ours()) wrapped.emplace_back(prefix + name, tensor);
    EXPECT_EQ(weight_kind(wrapped), GetParam().kind);
    EXPECT_EQ(shapes_of(to_official(wrapped, GetParam().kind, "file")), shapes_of(ours()));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, KeyMap,
    ::testing::Values(
        NamingCase{WeightKind::dit, "model/wan_dit_manifest.tsv", "wan2.1-t2v-1.3b", "t2v-1.3b"},
        NamingCase{WeightKind::dit, "model/wan_dit_manifest.tsv", "wan2.1-i2v-14b", "i2v-14b"},
        NamingCase{WeightKind::vae, "model/wan_vae_manifest.tsv", "", "vae"},
        NamingCase{WeightKind::umt5, "encoder/encoder_manifest.tsv", "umt5-xxl-enc", "umt5"},
        NamingCase{WeightKind::clip, "encoder/encoder_manifest.tsv", "clip-xlmr-vit-h14", "clip"}),
    [](const auto& entry) {
      std::string name = entry.param.other;
      std::erase_if(name, [](char c) { return c == '-' || c == '.'; });
      return name;
    });

TEST(KeyMaps, SeparateProjectionsOfClipAreJoinedInTheOrderQueryKeyValue) {
  const std::string layer = "vision_model.encoder.layers.0.self_attn.";
  const NamedTensors theirs = {{"vision_model.embeddings.class_embedding", at::zeros({2})},
                               {layer + "v_proj.bias", at::full({2}, 3.0)},
                               {layer + "q_proj.bias", at::full({2}, 1.0)},
                               {layer + "k_proj.bias", at::full({2}, 2.0)}};
  for (const auto& [name, tensor] : to_official(theirs, WeightKind::clip, "clip")) {
    if (name != "visual.transformer.0.attn.to_qkv.bias") continue;
    EXPECT_TRUE(at::equal(tensor, at::tensor({1.0F, 1.0F, 2.0F, 2.0F, 3.0F, 3.0F})));
    return;
  }
  FAIL() << "no joined projection";
}

TEST(KeyMaps, ScaledEightBitWeightsAreMultipliedOut) {
  const auto eight = at::tensor({1.0, -2.0, 0.5, 4.0}).view({2, 2}).to(at::kFloat8_e4m3fn);
  const NamedTensors stored = {{"time_projection.1.weight", eight},
                               {"time_projection.1.scale_weight", at::full({}, 0.25)},
                               {"scaled_fp8", at::zeros({0})}};
  const auto weights = to_official(stored, WeightKind::dit, "fp8");
  ASSERT_EQ(weights.size(), 1u);
  EXPECT_TRUE(at::equal(weights[0].second,
                        at::tensor({0.25, -0.5, 0.125, 1.0}).view({2, 2}).to(at::kBFloat16)));
}

TEST(KeyMaps, SaysWhatHasNoCounterpart) {
  const NamedTensors strange = {{"condition_embedder.time_proj.weight", at::zeros({1})},
                                {"blocks.0.attn3.to_q.weight", at::zeros({1})}};
  try {
    to_official(strange, WeightKind::dit, "file.safetensors");
    FAIL();
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("blocks.0.attn3.to_q.weight"));
  }
  EXPECT_FALSE(weight_kind({{"x", at::zeros({1})}}).has_value());
  EXPECT_THROW(to_official({{"decoder.conv1.weight", at::zeros({1})}}, WeightKind::dit, "f"),
               IoError);
}

}  // namespace
}  // namespace svi
