#include "vision/transformers/musiq.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/hashed_weights.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "vision/network_shapes.hpp"

namespace svi::vision {
namespace {

at::Tensor musiq_answer(const std::string& name) {
  static const auto kAnswers =
      SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/musiq.safetensors");
  return kAnswers.load(name);
}

at::Tensor musiq_frames(std::int64_t height, std::int64_t width) {
  return (testing::hashed("frames", {2, 3, height, width}) + 1) / 2;
}

/// pyiqa's names and sizes of a network of that width and depth.
Weights musiq_file(const testing::Shapes& shapes, const std::string& nest = "") {
  NamedTensors tensors;
  for (const auto& [name, sizes] : shapes)
    tensors.emplace_back(nest + name, testing::hashed_weight(name, sizes));
  return {tensors, "musiq.pth"};
}

TEST(Musiq, AgreesWithPyiqaOnAnySizeOfFrames) {
  const Musiq network(musiq_file(testing::musiq_shapes(128, 2, 192), "params."));
  EXPECT_EQ(network.depth(), 2);
  for (const auto& [height, width] : {std::pair{295, 512}, {64, 64}, {100, 333}, {480, 31}}) {
    const auto wanted = musiq_answer(cat("small.", height, "x", width));
    const auto seen = network(musiq_frames(height, width));
    EXPECT_LT((seen - wanted).abs().max().item<double>(), 1e-4) << height << "x" << width;
  }
}

TEST(Musiq, AgreesAtTheOfficialSizes) {
  const Musiq network(musiq_file(testing::shape_manifest("musiq")));
  EXPECT_EQ(network.width(), 384);
  EXPECT_EQ(network.depth(), 14);
  const auto wanted = musiq_answer("official.96x160");
  EXPECT_LT((network(musiq_frames(96, 160)) - wanted).abs().max().item<double>(), 1e-4);
}

TEST(Musiq, LooksAtThreeSizesRoundedHalfToEven) {
  EXPECT_EQ(musiq_size(295, 512, 224), (std::pair<std::int64_t, std::int64_t>(129, 224)));
  EXPECT_EQ(musiq_size(295, 512, 384), (std::pair<std::int64_t, std::int64_t>(221, 384)));
  EXPECT_EQ(musiq_size(5, 448, 224), (std::pair<std::int64_t, std::int64_t>(2, 224)));
  EXPECT_EQ(musiq_size(7, 448, 224), (std::pair<std::int64_t, std::int64_t>(4, 224)));
}

TEST(Musiq, PlacesPatchesOnItsGridByTheNearestRule) {
  for (const std::int64_t rows : {1, 3, 10, 16}) {
    const auto places = musiq_places(rows, 7);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < 7; ++c)
        EXPECT_EQ(places[r * 7 + c].item<std::int64_t>(), 10 * (r * 10 / rows) + c * 10 / 7);
    }
  }
}

TEST(Musiq, RefusesAnotherNetworkByFileAndTensor) {
  auto shapes = testing::musiq_shapes(128, 1, 192);
  shapes[0].second = {64, 3, 5, 5};
  try {
    Musiq{musiq_file(shapes)};
    FAIL() << "wrong sizes were taken";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(),
                ::testing::HasSubstr("musiq.pth: conv_root.weight is [64, 3, 5, 5] instead of"));
  }
}

}  // namespace
}  // namespace svi::vision
