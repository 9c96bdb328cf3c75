#include "svi/io/weight_files.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kPth = fs::path(SVI_SOURCE_DIR) / "tests/data/io/pth";

std::map<std::string, at::Tensor> by_name(const NamedTensors& tensors) {
  return {tensors.begin(), tensors.end()};
}

template <class Action>
std::string refusal_of(const Action& action) {
  try {
    action();
  } catch (const IoError& error) {
    return error.what();
  }
  return "accepted";
}

class PthOfProtocol : public ::testing::TestWithParam<int> {};

TEST_P(PthOfProtocol, HoldsWhatTorchSaved) {
  const auto tensors = by_name(open_weights(kPth / cat("good_protocol", GetParam(), ".pth")));
  const auto base = at::arange(24, at::kFloat).view({4, 6});
  const std::map<std::string, at::Tensor> expected = {
      {"plain", base},
      {"shared.rows", base.slice(0, 1, 3)},
      {"shared.columns", base.slice(1, 0, 6, 2)},
      {"shared.turned", base.t()},
      {"bf16", at::tensor({1.5, -2.25}).to(at::kBFloat16)},
      {"fp16", at::tensor({0.5, 65504.0}).view({2, 1}).to(at::kHalf)},
      {"fp64", at::scalar_tensor(3.141592653589793, at::kDouble)},
      {"int64", at::tensor({std::int64_t{-1}, std::int64_t{1} << 40})},
      {"bool", at::tensor({1, 0}).to(at::kBool)},
      {"uint8", at::tensor({0, 255}).to(at::kByte)},
      {"none", at::zeros({0, 3})},
      {"parameter", at::full({1}, 7.0)},
      {"fp8", at::tensor({1.0, -0.5, 448.0}).to(at::kFloat8_e4m3fn)}};
  ASSERT_EQ(tensors.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(tensors.contains(name)) << name;
    const auto& found = tensors.at(name);
    ASSERT_EQ(found.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(found.to(at::kDouble), tensor.to(at::kDouble))) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Protocols, PthOfProtocol, ::testing::Values(2, 3, 4, 5));

TEST(Pth, TakesOffWrappersAndNamesWhatIsNoTensor) {
  const auto weights = WeightFiles::open(kPth / "good_wrapped.pth");
  ASSERT_EQ(weights.tensors.size(), 1u);
  EXPECT_EQ(weights.tensors[0].first, "a.b");
  EXPECT_EQ(weights.container, "pth");
  EXPECT_EQ(weights.bytes(), 24 * 4);
}

TEST(Pth, TakesOffNestsOfAnyDepthAroundAllTensors) {
  const auto weights = WeightFiles::open(kPth / "good_deep.pth");
  ASSERT_EQ(weights.tensors.size(), 1u);
  EXPECT_EQ(weights.tensors[0].first, "a");
  EXPECT_EQ(weights.tensors[0].second[23].item<float>(), 23);
  EXPECT_THAT(weights.ignored, ::testing::ElementsAre("step"));
}

TEST(Pth, WeightsBesideAnOptimiserKeepTheNameOfTheirNest) {
  const auto weights = WeightFiles::open(kPth / "good_trainer.pth");
  const auto tensors = by_name(weights.tensors);
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_TRUE(at::equal(tensors.at("state_dict.a.b"), at::arange(24, at::kFloat)));
  EXPECT_TRUE(at::equal(tensors.at("optimizer.state.0.exp_avg"), at::arange(2, at::kFloat)));
  EXPECT_THAT(weights.ignored,
              ::testing::ElementsAre("optimizer.param_groups", "epoch",
                                     HasSubstr("a key that is neither text nor number")));
}

TEST(Pth, OpensAPublishedFile) {
  const auto tensors = by_name(
      open_weights(fs::path(SVI_SOURCE_DIR) / "tests/data/golden/sa_0_4_vit_l_14_linear.pth"));
  EXPECT_NEAR(tensors.at("weight").norm().item<double>(), 28.4444, 1e-4);
  EXPECT_NEAR(tensors.at("bias").item<double>(), 3.5294, 1e-4);
}

TEST(Pth, OpensAPublishedFileThatPython2Wrote) {
  const auto tensors = by_name(
      open_weights(fs::path(SVI_SOURCE_DIR) / "tests/data/vision/LPIPS_v0.1_alex-df73285e.pth"));
  ASSERT_EQ(tensors.size(), 5u);
  EXPECT_TRUE(tensors.at("lin2.model.1.weight").sizes().equals({1, 384, 1, 1}));
  EXPECT_GE(tensors.at("lin2.model.1.weight").min().item<float>(), 0);  // they were kept so
}

TEST(Pth, ATorchScriptArchiveHoldsTheStateOfItsProgram) {
  const auto weights = WeightFiles::open(kPth / "good_script.pth");
  const auto program = by_name(weights.tensors);
  const auto state = by_name(open_weights(kPth / "good_script_state.pth"));
  ASSERT_EQ(state.size(), 11u);
  EXPECT_EQ(program.size(), state.size());
  for (const auto& [name, tensor] : state) {
    ASSERT_TRUE(program.contains(name)) << name;
    EXPECT_EQ(program.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(program.at(name), tensor)) << name;
  }
  EXPECT_THAT(weights.ignored, ::testing::ElementsAre("visual.names.a"));  // a dict, no object
}

TEST(Pth, OpensTheFormatBeforeZipArchives) {
  const auto weights = WeightFiles::open(kPth / "good_old.pth");
  const auto tensors = by_name(weights.tensors);
  const auto base = at::arange(24, at::kFloat).view({4, 6});
  const std::map<std::string, at::Tensor> expected = {
      {"rows", base.slice(0, 1, 3)},
      {"turned", base.t()},
      {"fp16", at::tensor({0.5, 65504.0}).to(at::kHalf)},
      {"fp64", at::scalar_tensor(3.141592653589793, at::kDouble)},
      {"int64", at::tensor({std::int64_t{-1}, std::int64_t{1} << 40})},
      {"uint8", at::tensor({0, 7, 255}).to(at::kByte)},
      {"none", at::zeros({0, 3})},
      {"early", at::tensor({2.0, 4.0}).to(at::kFloat)}};
  ASSERT_EQ(tensors.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(tensors.contains(name)) << name;
    ASSERT_EQ(tensors.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(tensors.at(name), tensor)) << name;
  }
  EXPECT_THAT(weights.ignored, ::testing::ElementsAre("epoch"));
}

TEST(Pth, RefusesEveryHostileFileByWhatIsWrongWithIt) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(kPth)) {
    if (entry.path().extension() != ".txt") continue;
    std::ifstream text(entry.path());
    std::string message;
    std::getline(text, message);
    auto path = entry.path();
    path.replace_extension(".pth");
    const auto refusal = refusal_of([&] { open_weights(path); });
    EXPECT_THAT(refusal, HasSubstr(message)) << path;
    EXPECT_THAT(refusal, HasSubstr(path.filename().string()));
    ++files;
  }
  EXPECT_GE(files, 40);
}

TEST(Pth, AnyCutOfAFileIsRefusedOrReadable) {
  const auto whole = bytes_of_file((kPth / "good_module.pth").string());
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    EXPECT_THAT(refusal_of([&] { parse_pth_weights(whole.substr(0, size), "cut.pth"); }),
                HasSubstr("cut.pth"));
  }
}

/// Reads a damaged file to the last value of each tensor that it still promises.
template <class Read>
bool survives(const Read& read) {
  try {
    for (const auto& [name, tensor] : read()) {
      constexpr std::int64_t kMost = 1 << 20;  // a stride of 0 makes much out of little
      if (tensor.numel() <= kMost) static_cast<void>(tensor.clone());
    }
    return true;
  } catch (const IoError&) {
    return false;
  }
}

TEST(Damage, AnyFlippedBitOfACheckpointIsRefusedOrReadable) {
  for (const auto* name :
       {"good_protocol2.pth", "good_protocol4.pth", "good_trainer.pth", "good_old.pth"}) {
    auto bytes = bytes_of_file((kPth / name).string());
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < 8 * bytes.size(); bit += 5) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
      refused += survives([&] { return parse_pth_weights(bytes, name); }) ? 0 : 1;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    }
    EXPECT_GT(refused, 0u);
  }
}

TEST(Damage, AnyFlippedBitOrCutOfASafetensorsFileIsRefusedOrReadable) {
  const TemporaryFolder folder;
  save_safetensors(folder / "x.safetensors",
                   {{"a", at::ones({2, 3})}, {"b", at::ones({4}, at::kLong)}}, {{"alpha", "2"}});
  auto bytes = bytes_of_file(folder / "x.safetensors");
  const auto header = bytes.size() - 2 * 3 * 4 - 4 * 8;
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * header; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    refused += survives([&] { return SafetensorsFile::parse(bytes, "x").load_all(); }) ? 0 : 1;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
  }
  EXPECT_GT(refused, 4 * header) << "most of a header is not free text";
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(
        survives([&] { return SafetensorsFile::parse(bytes.substr(0, size), "x").load_all(); }));
}

/// Three shards of a made-up model.
void write_shards(const TemporaryFolder& folder) {
  for (int i = 1; i <= 3; ++i) {
    save_safetensors(folder / cat("m-0000", i, "-of-00003.safetensors"),
                     {{cat("w", i), at::full({2, 2}, i)}, {cat("b", i), at::full({3}, -i)}});
  }
}

TEST(Shards, OneOfThemOpensTheSet) {
  const TemporaryFolder folder;
  write_shards(folder);
  const auto weights = WeightFiles::open(folder / "m-00002-of-00003.safetensors");
  ASSERT_EQ(weights.tensors.size(), 6u);
  EXPECT_EQ(weights.files.size(), 3u);
  EXPECT_EQ(by_name(weights.tensors).at("w3")[0][0].item<float>(), 3);
  EXPECT_EQ(WeightFiles::open(folder.path()).tensors.size(), 6u);
}

TEST(Shards, MissingPartsAreNamed) {
  const TemporaryFolder folder;
  write_shards(folder);
  fs::remove(folder / "m-00002-of-00003.safetensors");
  EXPECT_THAT(refusal_of([&] { open_weights(folder.path()); }),
              HasSubstr("parts of the set are missing: m-00002-of-00003.safetensors"));
}

TEST(Shards, ANameInTwoOfThemIsRefused) {
  const TemporaryFolder folder;
  write_shards(folder);
  save_safetensors(folder / "m-00002-of-00003.safetensors", {{"w1", at::zeros({1})}});
  EXPECT_THAT(refusal_of([&] { open_weights(folder.path()); }), HasSubstr("tensor 'w1' is in"));
}

void write_index(const TemporaryFolder& folder, const std::string& map) {
  write_file(folder / "m.safetensors.index.json",
             "{\"metadata\": {}, \"weight_map\": " + map + "}");
}

TEST(Index, TellsWhichFilesBelongTogether) {
  const TemporaryFolder folder;
  save_safetensors(folder / "x.safetensors", {{"a", at::ones({2})}});
  save_safetensors(folder / "y.safetensors", {{"b", at::ones({3})}});
  write_index(folder, R"({"a": "x.safetensors", "b": "y.safetensors"})");
  EXPECT_EQ(open_weights(folder / "m.safetensors.index.json").size(), 2u);
  EXPECT_EQ(open_weights(folder.path()).size(), 2u);
}

TEST(Index, RefusesWhatLeadsElsewhereOrIsNotTrue) {
  const TemporaryFolder folder;
  save_safetensors(folder / "x.safetensors", {{"a", at::ones({2})}});
  const auto refusal = [&](const std::string& map) {
    write_index(folder, map);
    return refusal_of([&] { open_weights(folder / "m.safetensors.index.json"); });
  };
  EXPECT_THAT(refusal(R"({"a": "../x.safetensors"})"),
              HasSubstr("no weight file beside the index"));
  EXPECT_THAT(refusal(R"({"a": "/etc/passwd"})"), HasSubstr("no weight file beside the index"));
  EXPECT_THAT(refusal(R"({"a": "gone.safetensors"})"), HasSubstr("names gone.safetensors"));
  EXPECT_THAT(refusal(R"({"a": "x.safetensors", "c": "x.safetensors"})"),
              HasSubstr("'c' is not in"));
  EXPECT_THAT(refusal(R"({"a": 3})"), HasSubstr("is no index"));
  EXPECT_THAT(refusal("{}"), HasSubstr("weight_map is empty"));
  EXPECT_THAT(refusal(std::string(100000, '[')), HasSubstr("is no index"));
}

TEST(WeightFiles, AFolderWithSeveralSetsAsksWhich) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal_of([&] { open_weights(folder.path()); }), HasSubstr("holds no weights"));
  save_safetensors(folder / "x.safetensors", {{"a", at::ones({2})}});
  save_safetensors(folder / "y.safetensors", {{"b", at::ones({3})}});
  EXPECT_THAT(refusal_of([&] { open_weights(folder.path()); }),
              HasSubstr("name one of x.safetensors, y.safetensors"));
}

TEST(WeightFiles, NamesThatWouldReachATerminalAsControlsAreRefused) {
  const TemporaryFolder folder;
  save_safetensors(folder / "x.safetensors", {{"a\x1b[31m", at::ones({2})}});
  EXPECT_THAT(refusal_of([&] { open_weights(folder / "x.safetensors"); }),
              HasSubstr("is no name of a weight"));
  save_safetensors(folder / "x.safetensors", {});
  EXPECT_THAT(refusal_of([&] { open_weights(folder / "x.safetensors"); }),
              HasSubstr("holds no tensors"));
}

TEST(WeightFiles, AHugeFileOpensWithoutBeingRead) {
  const TemporaryFolder folder;
  const auto path = folder / "huge.safetensors";
  {
    std::ofstream out(path, std::ios::binary);
    std::string header =
        R"({"w":{"dtype":"BF16","shape":[2147483648,4],"data_offsets":[0,17179869184]}})";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const std::uint64_t size = header.size();
    out.write(reinterpret_cast<const char*>(&size), 8);
    out << header;
    out.close();
    fs::resize_file(path, 8 + size + (std::uint64_t{16} << 30));  // a hole
  }
  const auto weights = WeightFiles::open(path);
  EXPECT_EQ(weights.bytes(), std::int64_t{16} << 30);
  EXPECT_EQ(weights.tensors[0].second[2147483647][3].item<float>(), 0);
}

}  // namespace
}  // namespace svi
