#include "svi/pretrained/folder_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/pretrained/prompt_encoder.hpp"

namespace svi {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

void write_settings(const TemporaryFolder& folder, const std::string& text) {
  std::ofstream(folder / "folder.ini") << text;
}

TEST(FolderSettings, OfAFolderWithoutAnyAreThoseOfTheDefaultFolder) {
  const TemporaryFolder folder;

  const auto found = folder_config(folder.path()), usual = default_folder_config();

  EXPECT_FALSE(usual.world.empty());
  EXPECT_EQ(found.world, usual.world);
  EXPECT_EQ(found.text_encoder, usual.text_encoder);
  EXPECT_EQ(folder_settings(folder.path()).get("film", "frames"), "5");
}

TEST(FolderSettings, OfAFolderThatHasSomeAreItsOwnAlone) {
  const TemporaryFolder folder;
  write_settings(folder, "[folder]\nworld = mine\n\n[film]\nfps = 12\n");

  EXPECT_EQ(folder_config(folder.path()).world, "mine");
  EXPECT_EQ(folder_config(folder.path()).plugin, "");
  EXPECT_EQ(folder_settings(folder.path()).get("film", "fps"), "12");
  EXPECT_FALSE(folder_settings(folder.path()).get("film", "frames"));
}

TEST(FolderSettings, WithAMistakeNameFileAndLine) {
  const TemporaryFolder folder;
  write_settings(folder, "[folder]\nwrld = mine\n");
  try {
    folder_config(folder.path());
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("folder.ini:2"), HasSubstr("world")));
  }
}

TEST(PromptEncoder, NamesTheFileThatAsksForAnUnknownTextEncoder) {
  const TemporaryFolder folder;
  write_settings(folder, "[folder]\ntext_encoder = letters\n");
  ModelFiles files;
  files.folder = folder.path();
  try {
    const PromptEncoder encoder(files, {.length = 4, .dim = 8}, Registry());
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("folder.ini"), HasSubstr("text_encoder")));
  }
}

}  // namespace
}  // namespace svi
