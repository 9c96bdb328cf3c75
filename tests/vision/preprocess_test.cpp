#include "vision/preprocess.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "support/hashed_weights.hpp"
#include "svi/core/text.hpp"
#include "svi/io/safetensors.hpp"

namespace svi::vision {
namespace {

/// What torchvision and Pillow made, by make_preprocess_fixtures.py.
const NamedTensors& prepared_answers() {
  static const auto kAnswers =
      SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/preprocess.safetensors").load_all();
  return kAnswers;
}

at::Tensor prepared_answer(const std::string& name) {
  static const auto kFile =
      SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/preprocess.safetensors");
  return kFile.load(name);
}

std::vector<std::string> parts_of(const std::string& name) {
  std::istringstream text(name);
  std::vector<std::string> parts;
  for (std::string part; std::getline(text, part, '.');) parts.push_back(part);
  return parts;
}

/// "30x52": height and width.
std::pair<std::int64_t, std::int64_t> size_of_text(const std::string& text) {
  const auto cross = text.find('x');
  return {std::stoll(text.substr(0, cross)), std::stoll(text.substr(cross + 1))};
}

at::Tensor hashed_levels(const std::string& size) {
  const auto [height, width] = size_of_text(size);
  return ((testing::hashed(size, {2, 3, height, width}) + 1) * 127.5).round();
}

at::Tensor thinned_frames(const at::Tensor& x) {
  return x.contiguous().flatten().slice(0, 0, {}, 53);
}

Filter filter_of(const std::string& name) {
  return name == "bicubic" ? Filter::bicubic : Filter::bilinear;
}

double prepared_gap(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  EXPECT_EQ(a.scalar_type(), b.scalar_type());
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

TEST(Preprocess, ResizesAsTorchvisionDoes) {
  int cases = 0;
  for (const auto& [name, wanted] : prepared_answers()) {
    const auto part = parts_of(name);  // resize, size, type, filter, antialias, how
    if (part[0] != "resize" || part.back() == "size") continue;
    const auto levels = hashed_levels(part[1]);
    const auto frames = part[2] == "byte" ? levels.to(at::kByte) : levels;
    const Resampling how{filter_of(part[3]), part[4] == "aa"};
    const auto seen = part[5] == "exact"
                          ? resized(frames, 21, 38, how)
                          : resized_short(frames, std::stoll(part[5].substr(5)), how);
    const auto size = prepared_answer(name + ".size");
    EXPECT_EQ(seen.size(2), size[0].item<std::int64_t>()) << name;
    EXPECT_EQ(seen.size(3), size[1].item<std::int64_t>()) << name;
    // fp32 sums of up to 255 * 16 taps; a byte may fall to the other side of a half.
    EXPECT_LT(prepared_gap(thinned_frames(seen), wanted), part[2] == "byte" ? 1.5 : 1e-3) << name;
    ++cases;
  }
  EXPECT_EQ(cases, 144);
}

TEST(Preprocess, ResizesPicturesAsPillowDoesToTheBit) {
  int cases = 0;
  for (const auto& [name, wanted] : prepared_answers()) {
    const auto part = parts_of(name);  // pillow, size, filter, new size
    if (part[0] != "pillow") continue;
    const auto [height, width] = size_of_text(part[3]);
    const auto picture = hashed_levels(part[1])[0].to(at::kByte);
    const auto seen = resized_pillow(picture, height, width, filter_of(part[2]));
    EXPECT_EQ(prepared_gap(thinned_frames(seen), wanted), 0) << name;
    ++cases;
  }
  EXPECT_EQ(cases, 36);
}

TEST(Preprocess, CropsTheCentreAsTorchvisionDoes) {
  int cases = 0;
  for (const auto& [name, wanted] : prepared_answers()) {
    const auto part = parts_of(name);  // crop, size, side
    if (part[0] != "crop") continue;
    const auto frames = hashed_levels(part[1]).to(at::kByte);
    EXPECT_EQ(prepared_gap(thinned_frames(center_crop(frames, std::stoll(part[2]))), wanted), 0)
        << name;
    ++cases;
  }
  EXPECT_EQ(cases, 24);
}

TEST(Preprocess, CutsTheLongSideAsTorchvisionDoes) {
  const auto sizes = prepared_answer("sizes").to(at::kLong);
  ASSERT_GT(sizes.size(0), 500);
  for (std::int64_t i = 0; i < sizes.size(0); ++i) {
    const auto row = sizes[i];
    const auto at = [&](std::int64_t k) { return row[k].item<std::int64_t>(); };
    EXPECT_EQ(short_side_size(at(0), at(1), at(2)), std::pair(at(3), at(4)))
        << at(0) << "x" << at(1) << " to " << at(2);
  }
  EXPECT_EQ(short_side_size(480, 832, 224), (std::pair<std::int64_t, std::int64_t>(224, 388)));
  EXPECT_EQ(short_side_size(1080, 1920, 256), (std::pair<std::int64_t, std::int64_t>(256, 455)));
}

TEST(Preprocess, KeepsFramesThatFitAndOvershootOfFloats) {
  const auto frames = hashed_levels("24x24");
  EXPECT_TRUE(resized(frames, 24, 24, {}).is_same(frames));
  auto edge = at::zeros({1, 1, 8, 8});
  edge.slice(3, 4) = 255;
  EXPECT_GT(resized(edge, 16, 16, {Filter::bicubic, false}).max().item<float>(), 256);
}

TEST(Preprocess, FindsTheLevelsThatFramesCameFrom) {
  const auto bytes = at::arange(256, at::kFloat);
  EXPECT_TRUE(at::equal(levels(bytes / 255), bytes));
  const auto white = normalised(at::ones({1, 3, 2, 2}), kClip);
  EXPECT_NEAR(white[0][1][0][0].item<double>(), (1 - 0.4578275) / 0.26130258, 1e-6);
}

}  // namespace
}  // namespace svi::vision
