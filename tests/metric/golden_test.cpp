// Published values: PSNR and SSIM of pyiqa's calibration pairs (skimage: structural_similarity of
// scikit-image 0.26.0 with channel_axis and data_range alone), VBench's temporal flickering of a
// clip, constants of common_metrics_on_video_quality.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "svi/io/video_reader.hpp"
#include "svi/metric/psnr.hpp"
#include "svi/metric/ssim.hpp"
#include "svi/metric/temporal.hpp"

namespace svi {
namespace {

const std::string kGolden = SVI_SOURCE_DIR "/tests/data/golden/";

struct Pair {
  const char* name;
  double psnr, ssim_y, ssim, skimage;
};

class GoldenPair : public testing::TestWithParam<Pair> {};

TEST_P(GoldenPair, HasThePublishedPsnrAndSsim) {
  const auto& [name, psnr_db, luma, rgb, skimage] = GetParam();
  const auto distorted = read_image(kGolden + "images/" + name + "_dist.png");
  const auto reference = read_image(kGolden + "images/" + name + "_ref.png");

  EXPECT_NEAR(psnr(distorted, reference), psnr_db, 1e-4);
  EXPECT_NEAR(ssim_y(distorted, reference), luma, 1e-4);
  EXPECT_NEAR(ssim(distorted, reference), rgb, 1e-6);
  const auto unit = [](const at::Tensor& levels) { return levels.to(at::kFloat) / 255; };
  EXPECT_NEAR(ssim(unit(distorted), unit(reference)), rgb, 1e-6);
  EXPECT_EQ(ssim_y(unit(distorted), unit(reference)), ssim_y(distorted, reference));
  EXPECT_NEAR(psnr(distorted, reference, PsnrVariant::pyiqa), psnr_db, 1e-4);
  EXPECT_NEAR(ssim(distorted, reference, SsimVariant::skimage), skimage, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Pyiqa, GoldenPair,
                         testing::Values(Pair{"I03", 21.1136, 0.6997, 0.673173, 0.6412019303713729},
                                         Pair{"I04", 20.9872, 0.9978, 0.932519, 0.9279034362489541},
                                         Pair{"I06", 27.0139, 0.9989, 0.989635,
                                              0.9891623888880018}),
                         [](const auto& one) { return one.param.name; });

TEST(GoldenVariants, RepeatedEdgesAreThoseOfALargerPicture) {
  const auto a = at::rand({3, 9, 14}), b = at::rand({3, 9, 14});
  const auto larger = [](const at::Tensor& x) { return at::replication_pad2d(x, {5, 5, 5, 5}); };

  EXPECT_EQ(ssim(a, b, SsimVariant::repeated), ssim(larger(a), larger(b)));
}

TEST(GoldenVariants, EqualPicturesAreWorthEightyDecibelsToPyiqa) {
  const auto x = at::rand({3, 4, 4});

  EXPECT_NEAR(psnr(x, x, PsnrVariant::pyiqa), 80.0, 1e-12);
  EXPECT_EQ(psnr(at::zeros({3, 4, 4}), at::ones({3, 4, 4}), PsnrVariant::pyiqa),
            -10 * std::log10(1 + 1e-8));
}

TEST(GoldenConstants, ZerosAgainstOnes) {
  const auto zeros = at::zeros({3, 64, 64}), ones = at::ones({3, 64, 64});

  EXPECT_EQ(psnr(zeros, ones), 0.0);
  EXPECT_NEAR(ssim(zeros, ones), 9.999000099990664e-05, 1e-15);
  EXPECT_EQ(psnr(ones, ones), kPsnrCeiling);
  EXPECT_NEAR(ssim(ones, ones), 1.0, 1e-12);
}

TEST(GoldenVideo, HasVbenchsTemporalFlickering) {
  const auto frames = read_video(kGolden + "ltx2.mp4", {.exact_c_path = true});

  ASSERT_TRUE(frames.sizes().equals({120, 3, 480, 832}));
  EXPECT_NEAR(temporal_flickering(frames), 0.979451680650898, 1e-15);
}

}  // namespace
}  // namespace svi
