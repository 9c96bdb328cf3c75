#include "svi/data/pose_video.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/io/video_writer.hpp"
#include "svi/tensor/levels.hpp"

namespace svi {
namespace {

using testing::HasSubstr;

/// 12 frames of 48x32 pixels at 16 per second; frame t has brightness 10 t.
std::string write_poses(const TemporaryFolder& folder) {
  auto video = at::zeros({12, 3, 32, 48}, at::kByte);
  for (std::int64_t t = 0; t < 12; ++t) video[t].fill_(10 * t);
  write_video(folder / "pose.mp4", video, {.crf = 0});
  return folder / "pose.mp4";
}

std::vector<int> poses_of(const at::Tensor& frames) {
  std::vector<int> found;
  for (std::int64_t t = 0; t < frames.size(0); ++t)
    found.push_back(
        static_cast<int>(std::lround(frames[t].to(at::kFloat).mean().item<double>() / 10)));
  return found;
}

std::string io_error_of(const std::string& path, const ClipShape& shape) {
  try {
    const PoseVideo poses(path, shape);
  } catch (const IoError& error) {
    return error.what();
  }
  return "no IoError";
}

TEST(PoseVideo, HasTheFilmsSizeAndRate) {
  const TemporaryFolder folder;
  const PoseVideo poses(write_poses(folder), {5, 16, 24, 8});

  EXPECT_EQ(poses.frames(), 6);
  const auto all = poses.read(0, 6);
  ASSERT_TRUE(all.sizes().equals({6, 3, 16, 24}));
  EXPECT_EQ(poses_of(all), (std::vector<int>{0, 2, 4, 6, 8, 10}));
}

TEST(PoseVideo, GivesEachStretchWhateverWasReadBefore) {
  const TemporaryFolder folder;
  const auto path = write_poses(folder);
  const auto all = resize_levels(read_video(path), 20, 30, Resampling::bicubic);
  const PoseVideo poses(path, {5, 20, 30, 16});
  ASSERT_EQ(poses.frames(), 12);
  // Overlapping ones, a gap, back to the start, the same again, within what was read.
  for (const auto& [first, count] : std::vector<std::pair<int, int>>{
           {0, 5}, {4, 5}, {7, 2}, {11, 1}, {2, 6}, {2, 6}, {3, 2}, {0, 12}}) {
    EXPECT_TRUE(at::equal(poses.read(first, count), all.narrow(0, first, count)))
        << first << " " << count;
  }
  EXPECT_THROW(poses.read(8, 5), Error);
}

TEST(PoseVideo, RefusesWhatCannotGuideTheFilm) {
  const TemporaryFolder folder;
  const auto path = write_poses(folder);
  EXPECT_EQ(io_error_of(path, {5, 32, 50, 8}), "no IoError");  // 4 % wider
  EXPECT_THAT(io_error_of(path, {5, 32, 52, 8}),
              HasSubstr("pose.mp4: a pose video of 48x32 pixels cannot be laid over 52x32"));
  EXPECT_THAT(io_error_of(folder / "none.mp4", {5, 32, 48, 8}), HasSubstr("none.mp4"));
  write_bytes(folder / "text.mp4", "no video");
  EXPECT_THAT(io_error_of(folder / "text.mp4", {5, 32, 48, 8}), HasSubstr("text.mp4"));
}

}  // namespace
}  // namespace svi
