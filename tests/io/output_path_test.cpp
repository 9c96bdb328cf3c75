#include "svi/io/output_path.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string place_refusal(const fs::path& file) {
  try {
    check_output_file(file);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(OutputPath, OfAPlainFileIsFineAndLeavesNothing) {
  const TemporaryFolder folder;
  EXPECT_EQ(place_refusal(folder / "film.mp4"), "");
  EXPECT_EQ(folder.count(), 0);
  write_file(folder.path() / "there.mp4", "x");
  EXPECT_EQ(place_refusal(folder / "there.mp4"), "");
  EXPECT_EQ(place_refusal(folder / "x/../film.mp4").find("is not there") != std::string::npos,
            true);
}

TEST(OutputPath, IsRefusedWhereItIsNoPlainFile) {
  const TemporaryFolder folder;
  write_file(folder.path() / "there", "x");
  fs::create_symlink(folder.path() / "there", folder.path() / "link");
  fs::create_symlink(folder.path() / "nowhere", folder.path() / "dangling");
  fs::create_directory(folder.path() / "folder");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(place_refusal(folder / "link"), HasSubstr("is a link"));
  EXPECT_THAT(place_refusal(folder / "dangling"), HasSubstr("is a link"));
  EXPECT_THAT(place_refusal(folder / "folder"), HasSubstr("is a folder"));
  EXPECT_THAT(place_refusal(folder / "pipe"), HasSubstr("is a device, pipe or socket"));
  EXPECT_THAT(place_refusal("/dev/null"), HasSubstr("is a device, pipe or socket"));
  EXPECT_THAT(place_refusal(folder / "there/film.mp4"), HasSubstr("is no folder"));
  EXPECT_THAT(place_refusal(folder / "none/film.mp4"), HasSubstr("mkdir -p"));
  EXPECT_THAT(place_refusal("/proc/film.mp4"), HasSubstr("cannot be written to"));
  for (const auto* name : {"folder/", "..", ".", ""})
    EXPECT_THAT(place_refusal(fs::path(name)), HasSubstr("names no file"));
}

TEST(OutputPath, LeavesRoomForTheTemporaryName) {
  const TemporaryFolder folder;
  const auto longest = longest_name(folder.path());
  const std::string fits(longest, 'a');
  EXPECT_EQ(place_refusal(folder / fits), "");
  EXPECT_NO_THROW(write_file(folder.path() / fits, "x"));
  EXPECT_THAT(place_refusal(folder / (fits + "a")), HasSubstr("Shorten it"));
  EXPECT_GT(longest, 200u);
}

TEST(OutputPath, OfAFolderMayHaveToBeMade) {
  const TemporaryFolder folder;
  EXPECT_NO_THROW(check_output_folder(folder / "a/b"));
  EXPECT_EQ(folder.count(), 0);
  write_file(folder.path() / "file", "x");
  EXPECT_THROW(check_output_folder(folder / "file"), ConfigError);
  EXPECT_THROW(check_output_folder(folder / "file/below"), ConfigError);
  EXPECT_THROW(check_output_folder("/proc/below"), ConfigError);
  EXPECT_THROW(check_output_folder(folder / std::string(250, 'a')), ConfigError);
}

TEST(OutputPath, LiesBelowAFolderThroughLinksToo) {
  const TemporaryFolder folder;
  write_file(folder.path() / "a/file", "x");
  fs::create_directory_symlink(folder.path() / "a", folder.path() / "link");
  EXPECT_TRUE(is_below(folder / "link/file", folder / "a"));
  EXPECT_TRUE(is_below(folder / "a", folder / "a"));
  EXPECT_FALSE(is_below(folder / "ab", folder / "a"));
  EXPECT_FALSE(is_below(folder.path(), folder / "a"));
}

}  // namespace
}  // namespace svi
