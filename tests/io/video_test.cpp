#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/io_error.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/video_join.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/io/video_writer.hpp"

namespace svi {
namespace {

using testing::HasSubstr;

/// A smooth moving gradient, uint8 [T, 3, H, W].
at::Tensor gradient(std::int64_t T, std::int64_t H, std::int64_t W) {
  const auto t = at::arange(T).view({T, 1, 1, 1}) * 3;
  const auto c = at::arange(3).view({1, 3, 1, 1}) * 40;
  const auto y = at::arange(H).view({1, 1, H, 1});
  const auto x = at::arange(W).view({1, 1, 1, W}) * 2;
  return (t + c + y + x).clamp(0, 255).to(at::kByte).expand({T, 3, H, W}).contiguous();
}

double mean_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kFloat) - b.to(at::kFloat)).abs().mean().item<double>();
}

TEST(Video, ComesBackAsItWasWritten) {
  const TemporaryFolder folder;
  const auto path = folder / "a.mp4";
  const auto video = gradient(12, 48, 64);

  write_video(path, video, {.fps_numerator = 24});

  const auto back = read_video(path);
  EXPECT_EQ(back.sizes(), video.sizes());
  EXPECT_LT(mean_difference(back, video), 2.0);
  const VideoReader reader(path);
  EXPECT_EQ(reader.info().frames, 12);
  EXPECT_EQ(reader.info().fps(), 24.0);
  EXPECT_EQ(folder.count(), 1);
}

TEST(Video, OfEqualFramesIsTheSameFile) {
  const TemporaryFolder folder;

  write_video(folder / "a.mp4", gradient(5, 32, 32));
  write_video(folder / "b.mp4", gradient(5, 32, 32));

  EXPECT_EQ(bytes_of_file(folder / "a.mp4"), bytes_of_file(folder / "b.mp4"));
}

TEST(Video, KeepsItsIndexInFrontOfTheFrames) {
  const TemporaryFolder folder;

  write_video(folder / "a.mp4", gradient(5, 32, 32));

  const auto bytes = bytes_of_file(folder / "a.mp4");
  EXPECT_LT(bytes.find("moov"), bytes.find("mdat"));
}

TEST(Video, ReadsAnyRunOfFrames) {
  const TemporaryFolder folder;
  const auto path = folder / "a.mp4";
  write_video(path, gradient(10, 32, 32));
  const auto all = read_video(path);
  VideoReader reader(path);

  EXPECT_TRUE(reader.read(4, 3).equal(all.slice(0, 4, 7)));
  EXPECT_EQ(reader.position(), 7);
  EXPECT_TRUE(reader.read(1, 2).equal(all.slice(0, 1, 3)));
  EXPECT_TRUE(reader.next()->equal(all[3]));
  EXPECT_THAT(io_error_of([&] { reader.read(8, 5); }), HasSubstr("has 10 frames"));
}

TEST(Video, OfOddSizeGetsOneMoreRowAndColumn) {
  const TemporaryFolder folder;
  const auto video = gradient(3, 33, 47);

  write_video(folder / "a.mp4", video);

  const auto back = read_video(folder / "a.mp4");
  EXPECT_EQ(back.sizes(), (at::IntArrayRef{3, 3, 34, 48}));
  EXPECT_LT(mean_difference(back.slice(2, 0, 33).slice(3, 0, 47), video), 2.5);
}

TEST(Video, UpscalesTinyFramesByWholePixels) {
  const TemporaryFolder folder;
  const auto video = gradient(3, 8, 12);

  VideoWriter writer(folder / "a.mp4", {.crf = 4, .upscale = 4});
  for (const auto& image : video.unbind(0)) writer.write(image);
  writer.close();

  const auto back = read_video(folder / "a.mp4");
  ASSERT_EQ(back.sizes(), (at::IntArrayRef{3, 3, 32, 48}));
  EXPECT_LT(mean_difference(back, video.repeat_interleave(4, 2).repeat_interleave(4, 3)), 2.0);
}

TEST(Video, KeepsColours) {
  const TemporaryFolder folder;
  auto video = at::zeros({4, 3, 64, 64}, at::kByte);
  const std::vector<std::array<int, 3>> colours = {
      {200, 30, 30}, {30, 200, 30}, {30, 30, 200}, {128, 128, 128}};
  for (std::int64_t t = 0; t < 4; ++t) {
    for (std::int64_t c = 0; c < 3; ++c) {
      video[t][c].fill_(colours[static_cast<std::size_t>(t)][static_cast<std::size_t>(c)]);
    }
  }

  write_video(folder / "a.mp4", video, {.crf = 2});

  EXPECT_LE(
      (read_video(folder / "a.mp4").to(at::kInt) - video.to(at::kInt)).abs().max().item<int>(), 4);
  // Read with the wrong matrix, the same file has other colours.
  EXPECT_GT(mean_difference(read_video(folder / "a.mp4", {.matrix = ColorMatrix::bt709}), video),
            4.0);
}

TEST(VideoWriter, LeavesNothingBehindUnlessClosed) {
  const TemporaryFolder folder;
  {
    VideoWriter writer(folder / "a.mp4");
    writer.write(gradient(3, 32, 32));
    EXPECT_FALSE(std::filesystem::exists(folder / "a.mp4"));
  }
  EXPECT_EQ(folder.count(), 0);
}

TEST(VideoWriter, NamesWhatIsWrong) {
  const TemporaryFolder folder;
  VideoWriter writer(folder / "a.mp4");
  writer.write(gradient(1, 32, 32));

  EXPECT_THROW(writer.write(gradient(1, 32, 30)), Error);
  EXPECT_THROW(writer.write(at::zeros({3, 32, 32})), Error);
  EXPECT_THAT(io_error_of([&] {
                write_video(folder / "a.mp4", gradient(1, 32, 32), {.codec = "nonsense"});
              }),
              HasSubstr("no encoder \"nonsense\""));
  EXPECT_THAT(io_error_of([&] { write_video(folder / "a.xyz", gradient(1, 32, 32)); }),
              HasSubstr("a.xyz"));
}

TEST(VideoWriter, FallsBackToAnotherCodecNamed) {
  const TemporaryFolder folder;

  write_video(folder / "a.mp4", gradient(6, 32, 32), {.codec = "mpeg4"});

  EXPECT_LT(mean_difference(read_video(folder / "a.mp4"), gradient(6, 32, 32)), 4.0);
}

TEST(VideoWriter, ReportsADiskThatRefuses) {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "x");
  EXPECT_THAT(io_error_of([&] { write_video(folder / "file/a.mp4", gradient(1, 32, 32)); }),
              HasSubstr("file/a.mp4"));

  const FileSizeLimit limit(100);
  EXPECT_THAT(io_error_of([&] { write_video(folder / "b.mp4", gradient(8, 64, 64)); }),
              HasSubstr("b.mp4"));
  EXPECT_EQ(folder.count(), 1);
}

TEST(ReadImage, GivesTheExactPixelsOfAPng) {
  const auto image = read_image(SVI_SOURCE_DIR "/tests/data/io/gradient.png");

  ASSERT_EQ(image.sizes(), (at::IntArrayRef{3, 5, 7}));
  const auto x = at::arange(7).view({1, 7}).expand({5, 7});
  const auto y = at::arange(5).view({5, 1}).expand({5, 7});
  EXPECT_TRUE(image.to(at::kLong).equal(at::stack({x * 30, y * 50, x * y * 7})));
}

TEST(ReadImage, ReadsAJpeg) {
  const auto image = read_image(SVI_SOURCE_DIR "/tests/data/io/gradient.jpg");

  ASSERT_EQ(image.sizes(), (at::IntArrayRef{3, 32, 48}));
  const auto x = at::arange(48).view({1, 48}).expand({32, 48}) * 5;
  const auto y = at::arange(32).view({32, 1}).expand({32, 48}) * 7;
  EXPECT_LT(mean_difference(image, at::stack({x, y, at::full_like(x, 128)})), 3.0);
}

TEST(ReadImage, TakesAPercentSignInANameAsItIs) {
  const TemporaryFolder folder;
  std::filesystem::copy_file(SVI_SOURCE_DIR "/tests/data/io/gradient.jpg", folder / "50%d.jpg");

  EXPECT_EQ(read_image(folder / "50%d.jpg").size(0), 3);
}

class BrokenVideo : public testing::Test {
 protected:
  BrokenVideo() {
    // Noise, so that the frames fill most of the file.
    const auto path = folder_ / "good.mp4";
    write_video(path, (at::arange(20 * 3 * 64 * 64).mul(7919).remainder(251))
                          .to(at::kByte)
                          .view({20, 3, 64, 64}));
    bytes_ = bytes_of_file(path);
  }
  std::string error_reading(const std::string& bytes) {
    const auto path = folder_ / "broken.mp4";
    write_bytes(path, bytes);
    const auto text = io_error_of([&] { read_video(path); });
    if (text != "no IoError") {
      EXPECT_THAT(text, HasSubstr("broken.mp4"));
    }
    return text;
  }

  TemporaryFolder folder_;
  std::string bytes_;
};

TEST_F(BrokenVideo, CutShortIsRefusedBeforeTheFirstFrame) {
  EXPECT_THAT(error_reading(bytes_.substr(0, bytes_.size() * 3 / 4)), HasSubstr("cut short"));
  EXPECT_THAT(error_reading(bytes_.substr(0, bytes_.size() - 10)), HasSubstr("cut short"));
}

TEST_F(BrokenVideo, OfAnyLengthIsAnIoErrorAndNothingElse) {
  for (std::size_t length = 0; length < bytes_.size();
       length += std::max<std::size_t>(bytes_.size() / 40, 1)) {
    EXPECT_NE(error_reading(bytes_.substr(0, length)), "no IoError")
        << "first " << length << " bytes";
  }
}

TEST_F(BrokenVideo, WithFlippedBytesIsAnIoErrorOrAVideo) {
  for (std::size_t i = 0; i < 60; ++i) {
    auto damaged = bytes_;
    damaged[(i * 7919 + 31) % damaged.size()] ^= static_cast<char>(0x55);
    error_reading(damaged);
  }
}

TEST_F(BrokenVideo, OrTextOrPlaylistIsRefused) {
  EXPECT_THAT(error_reading("no video at all\n"), HasSubstr("cannot be read"));
  EXPECT_THAT(
      error_reading(
          "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
      HasSubstr("cannot be read"));
  EXPECT_THAT(io_error_of([&] { read_video(folder_ / "missing.mp4"); }), HasSubstr("no such file"));
  EXPECT_THAT(io_error_of([&] { read_video(folder_.path().string()); }), HasSubstr("not a file"));
}

TEST(GoldenVideo, HasThePublishedFlickerOnTheCPath) {
  const std::string path = SVI_SOURCE_DIR "/tests/data/golden/ltx2.mp4";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not here";
  VideoReader reader(path, {.exact_c_path = true});

  EXPECT_EQ(reader.info().width, 832);
  EXPECT_EQ(reader.info().height, 480);
  EXPECT_EQ(reader.info().fps(), 24.0);
  EXPECT_EQ(reader.info().frames, 120);
  double sum = 0;
  std::int64_t pairs = 0;
  auto previous = reader.next();
  while (auto image = reader.next()) {
    sum +=
        (image->to(at::kInt) - previous->to(at::kInt)).abs().to(at::kDouble).mean().item<double>();
    ++pairs;
    previous = image;
  }
  EXPECT_EQ(pairs, 119);
  EXPECT_NEAR((255.0 - sum / static_cast<double>(pairs)) / 255.0, 0.979451680650898, 1e-8);
}

TEST(JoinedVideo, ShowsTheFramesOfItsPartsWithoutEncodingThemAgain) {
  const TemporaryFolder folder;
  const auto video = gradient(30, 48, 64);
  const VideoWriterOptions options{.fps_numerator = 8};
  // Parts of one frame and of many; the first decides the frame rate.
  const std::vector<std::pair<std::int64_t, std::int64_t>> cuts = {
      {0, 4}, {4, 17}, {21, 1}, {22, 8}};
  std::vector<std::string> parts;
  std::vector<at::Tensor> shown;
  for (const auto& [first, count] : cuts) {
    parts.push_back(folder / cat("part", first, ".mp4"));
    write_video(parts.back(), video.narrow(0, first, count), options);
    shown.push_back(read_video(parts.back()));
  }

  join_videos(parts, folder / "whole.mp4");
  join_videos(parts, folder / "again.mp4");

  VideoReader reader(folder / "whole.mp4");
  EXPECT_EQ(reader.info().frames, 30);
  EXPECT_EQ(reader.info().fps(), 8.0);
  EXPECT_TRUE(at::equal(read_video(folder / "whole.mp4"), at::cat(shown)));
  EXPECT_EQ(bytes_of_file(folder / "whole.mp4"), bytes_of_file(folder / "again.mp4"));
}

TEST(JoinedVideo, RefusesPartsThatDoNotFit) {
  const TemporaryFolder folder;
  write_video(folder / "a.mp4", gradient(5, 32, 32));
  write_video(folder / "b.mp4", gradient(5, 48, 32));
  const auto join = [&](const std::string& second) {
    return io_error_of([&] { join_videos({folder / "a.mp4", folder / second}, folder / "c.mp4"); });
  };
  EXPECT_THAT(join("b.mp4"), HasSubstr("b.mp4: is encoded in another way or size"));
  EXPECT_THAT(join("missing.mp4"), HasSubstr("missing.mp4: cannot be opened"));
  EXPECT_FALSE(std::filesystem::exists(folder / "c.mp4"));
}

}  // namespace
}  // namespace svi
