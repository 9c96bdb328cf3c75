#include "svi/io/picture.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/video_reader.hpp"

namespace svi {
namespace {

/// Smooth colours, uint8 [3, H, W].
at::Tensor gradients(std::int64_t height, std::int64_t width) {
  const auto x = at::linspace(20, 20 + 3 * width, width).view({1, width}).expand({height, width});
  const auto y = at::linspace(60, 180, height).view({height, 1}).expand({height, width});
  return at::stack({x, y, (x + y) / 2}).round().to(at::kByte);
}

TEST(JpegPicture, ShowsTheImage) {
  const TemporaryFolder folder;
  for (const auto& [height, width] : {std::pair{48, 64}, {33, 47}, {16, 2}}) {
    const auto image = gradients(height, width);
    const auto path = (folder.path() / "picture.jpg").string();
    const auto bytes = jpeg_picture(image);
    EXPECT_EQ(bytes.substr(0, 2), "\xFF\xD8");
    EXPECT_EQ(bytes.substr(bytes.size() - 2), "\xFF\xD9");
    std::ofstream(path, std::ios::binary) << bytes;
    const auto read = read_image(path);
    ASSERT_EQ(read.sizes(), (std::vector<std::int64_t>{3, height / 2 * 2, width / 2 * 2}));
    const auto wanted = image.narrow(1, 0, read.size(1)).narrow(2, 0, read.size(2));
    const auto off = (read.to(at::kFloat) - wanted.to(at::kFloat)).abs();
    EXPECT_LT(off.mean().item<double>(), 2.5) << height << " x " << width;
  }
}

TEST(JpegPicture, IsTheSameTwice) {
  const auto image = gradients(40, 56);
  EXPECT_EQ(jpeg_picture(image), jpeg_picture(image));
}

TEST(JpegPicture, RefusesWhatIsNoImage) {
  EXPECT_THROW(jpeg_picture(at::zeros({3, 8, 8})), Error);
  EXPECT_THROW(jpeg_picture(at::zeros({1, 8, 8}, at::kByte)), Error);
  EXPECT_THROW(jpeg_picture(at::zeros({3, 1, 8}, at::kByte)), Error);
}

}  // namespace
}  // namespace svi
