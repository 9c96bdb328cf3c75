#include "svi/generate/sample_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

std::string error_of(const std::filesystem::path& folder) {
  try {
    find_sample(folder);
  } catch (const IoError& error) {
    return error.what();
  }
  return "no IoError";
}

TEST(SampleFiles, AreFoundWhateverTheCaseOfTheirNames) {
  for (const std::string name : {"a.jpg", "a.JPG", "b.Png", "c.JPEG", "d.webp", "e.TIFF"}) {
    const TemporaryFolder folder;
    write_bytes(folder / name, "x");
    write_bytes(folder / "Prompt.TXT", "x");

    const auto sample = find_sample(folder.path());

    EXPECT_EQ(sample.image.filename(), name);
    EXPECT_EQ(sample.prompts.filename(), "Prompt.TXT");
  }
}

TEST(SampleFiles, TakeTheFrameBeforeOtherPictures) {
  const TemporaryFolder folder;
  for (const auto* name : {"a.png", "frame.png", "z.jpg", "prompt.txt", "notes.pdf"})
    write_bytes(folder / name, "x");
  EXPECT_EQ(find_sample(folder.path()).image.filename(), "frame.png");
  write_bytes(folder / "Frame.JPG", "x");
  EXPECT_EQ(find_sample(folder.path()).image.filename(), "Frame.JPG");
}

TEST(SampleFiles, SayWhatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of(folder.path()), testing::HasSubstr("holds no picture"));
  write_bytes(folder / "end.jpg", "x");
  EXPECT_THAT(error_of(folder.path()), testing::HasSubstr("holds no picture"));
  write_bytes(folder / "a.jpg", "x");
  EXPECT_TRUE(find_sample(folder.path()).prompts.empty());
}

TEST(SampleFiles, BringPosesTheImageAtTheEndAndSound) {
  const TemporaryFolder folder;
  for (const auto* name : {"END.png", "image.png", "Pose.MP4", "other.mp4", "speech.wav", "z.mp3"})
    write_bytes(folder / name, "x");
  const auto sample = find_sample(folder.path());
  EXPECT_EQ(sample.image.filename(), "image.png");
  EXPECT_EQ(sample.end.filename(), "END.png");
  EXPECT_EQ(sample.pose.filename(), "Pose.MP4");
  EXPECT_EQ(sample.audio.filename(), "speech.wav");
}

}  // namespace
}  // namespace svi
