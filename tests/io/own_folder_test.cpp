#include "svi/io/own_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using State = OwnFolder::State;

bool made(const fs::path& relative, bool folder) {
  if (folder) return relative == "parts";
  return relative == "a.txt" || relative == fs::path("parts") / "b.txt";
}

class OwnFolders : public ::testing::Test {
 protected:
  void put(const std::string& name) { write_file(root.path() / name, name); }
  bool has(const std::string& name) { return fs::exists(fs::symlink_status(root.path() / name)); }
  std::string refusal(const std::function<void()>& work) {
    try {
      work();
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder root;
  OwnFolder own{root.path() / "x", "test", made};
};

TEST_F(OwnFolders, AreKnownByTheirMark) {
  EXPECT_EQ(own.state(), State::absent);
  fs::create_directory(own.path());
  EXPECT_EQ(own.state(), State::empty);
  own.claim();
  EXPECT_EQ(own.state(), State::own);
  EXPECT_EQ(OwnFolder(own.path(), "other", made).state(), State::foreign);
  fs::create_directory_symlink(own.path(), root.path() / "link");
  EXPECT_EQ(OwnFolder(root.path() / "link", "test", made).state(), State::foreign);
  put("file");
  EXPECT_EQ(OwnFolder(root.path() / "file", "test", made).state(), State::foreign);
  put("y/mine");
  fs::create_symlink(own.path() / ".svi", root.path() / "y/.svi");
  EXPECT_EQ(OwnFolder(root.path() / "y", "test", made).state(), State::foreign);
}

TEST_F(OwnFolders, LoseOnlyWhatSviMade) {
  own.claim();
  for (const auto* name : {"x/a.txt", "x/parts/b.txt", "x/parts/.b.txt.17-3.part", "x/mine.txt",
                           "x/parts/mine.txt", "x/deep/parts/b.txt", "x/.mine.17-3.part"}) {
    put(name);
  }
  fs::create_symlink(own.path() / "a.txt", own.path() / "link");

  const auto left = own.clear();

  EXPECT_FALSE(has("x/a.txt"));
  EXPECT_FALSE(has("x/parts/b.txt"));
  EXPECT_FALSE(has("x/parts/.b.txt.17-3.part"));
  EXPECT_TRUE(has("x/mine.txt"));
  EXPECT_TRUE(has("x/parts/mine.txt"));
  EXPECT_TRUE(has("x/deep/parts/b.txt"));
  EXPECT_TRUE(has("x/.mine.17-3.part"));
  EXPECT_TRUE(has("x/link"));
  EXPECT_EQ(left.size(), 5u);
  EXPECT_EQ(own.state(), State::own);
}

TEST_F(OwnFolders, GoWithTheirLastFile) {
  own.claim();
  put("x/a.txt");
  put("x/parts/b.txt");
  EXPECT_THAT(own.made(), testing::SizeIs(2));
  EXPECT_THAT(own.clear(), IsEmpty());
  EXPECT_EQ(own.state(), State::absent);
  EXPECT_THAT(own.clear(), IsEmpty());
}

TEST_F(OwnFolders, KeepHardLinksAndWhatLinksPointTo) {
  own.claim();
  put("x/a.txt");
  fs::create_hard_link(own.path() / "a.txt", root.path() / "kept");
  own.clear();
  EXPECT_TRUE(has("kept"));

  own.claim();
  put("elsewhere/b.txt");
  fs::create_directory_symlink(root.path() / "elsewhere", own.path() / "parts");
  EXPECT_THAT(refusal([&] { own.clear(); }), HasSubstr("parts: is not what svi made"));
  EXPECT_TRUE(has("elsewhere/b.txt"));
}

TEST_F(OwnFolders, AreNotEmptiedIfSomethingElseHasTheNameOfAFile) {
  own.claim();
  put("x/parts/b.txt");
  put("x/a.txt/mine");
  EXPECT_THAT(refusal([&] { own.clear(); }), HasSubstr("a.txt: is not what svi made"));
  EXPECT_TRUE(has("x/parts/b.txt"));
  fs::remove_all(own.path() / "a.txt");
  ASSERT_EQ(mkfifo((own.path() / "a.txt").c_str(), 0600), 0);
  EXPECT_THAT(refusal([&] { own.clear(); }), HasSubstr("a.txt: is not what svi made"));
  EXPECT_TRUE(has("x/parts/b.txt"));
}

TEST_F(OwnFolders, AreNeverForeignOnes) {
  put("x/a.txt");
  EXPECT_THAT(refusal([&] { own.clear(); }), HasSubstr("was not made by svi"));
  EXPECT_THAT(refusal([&] { own.check_usable(); }), HasSubstr("holds a.txt"));
  EXPECT_TRUE(has("x/a.txt"));
}

TEST_F(OwnFolders, MayBeMadeAroundFilesOfOtherNames) {
  put("x/slurm-17.out");
  own.check_usable();
  own.claim();
  EXPECT_EQ(own.state(), State::own);
  EXPECT_THAT(own.clear(), ElementsAre("slurm-17.out"));
  EXPECT_TRUE(has("x/slurm-17.out"));
}

}  // namespace
}  // namespace svi
