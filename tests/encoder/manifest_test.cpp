#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "svi/core/check.hpp"
#include "svi/encoder/clip_vision.hpp"
#include "svi/encoder/umt5.hpp"

namespace svi {
namespace {

/// "name shape" of every official tensor; a row "blocks.0-23.x" stands for 24 of them.
std::set<std::string> official(const std::string& model) {
  std::ifstream in(std::string(SVI_SOURCE_DIR) + "/tests/data/encoder/encoder_manifest.tsv");
  std::set<std::string> names;
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    std::string kind, name, shape;
    std::getline(fields, kind, '\t');
    std::getline(fields, name, '\t');
    std::getline(fields, shape, '\t');
    if (kind != model) continue;
    const auto range = name.find(".0-");
    if (range == std::string::npos) {
      names.insert(name + " " + shape);
      continue;
    }
    const auto end = name.find('.', range + 3);
    const auto last = std::stoi(name.substr(range + 3, end - range - 3));
    for (int i = 0; i <= last; ++i)
      names.insert(cat(name.substr(0, range + 1), i, name.substr(end), " ", shape));
  }
  return names;
}

std::set<std::string> of(const NamedTensors& parameters) {
  std::set<std::string> names;
  for (const auto& [name, weight] : parameters) {
    std::string shape;
    for (const auto size : weight.sizes()) shape += cat(shape.empty() ? "" : "x", size);
    names.insert(name + " " + shape);
  }
  return names;
}

TEST(EncoderManifest, Umt5HasExactlyTheOfficialNamesAndShapes) {
  const auto names = official("umt5-xxl-enc");
  ASSERT_EQ(names.size(), 242u);
  EXPECT_EQ(of(Umt5Encoder(Umt5Config{}).parameters()), names);
}

TEST(EncoderManifest, ClipHasExactlyTheOfficialNamesAndShapesOfTheImageTower) {
  std::set<std::string> visual;
  for (const auto& name : official("clip-xlmr-vit-h14")) {
    if (name.starts_with("visual.")) visual.insert(name);
  }
  EXPECT_EQ(of(ClipVision(ClipVisionConfig{}).parameters()), visual);
}

}  // namespace
}  // namespace svi
