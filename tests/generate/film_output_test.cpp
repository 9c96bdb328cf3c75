#include "svi/generate/film_output.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

Document settings(int seed) {
  return Document::parse("[film]\nseed = " + std::to_string(seed) + "\ncrf = 18\n", "test");
}

class FilmOutputs : public ::testing::Test {
 protected:
  /// A film of one clip; the video holds `text`.
  void make(FilmMode mode, int seed, const std::string& text, bool whole = true) {
    FilmOutput output(video, mode);
    output.check(settings(seed));
    output.begin(settings(seed));
    output.folder().put_latent(0, {.prompt = "p"}, at::full({1, 2, 1, 1, 1}, seed));
    if (!whole) return;
    write_file(root.path() / "work", text);
    output.folder().record(root.path() / "work", 1);
    fs::rename(root.path() / "work", video);
    output.finish();
  }
  std::string refusal(FilmMode mode, int seed = 0) {
    try {
      FilmOutput(video, mode).check(settings(seed));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }
  std::string text(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  float latent() {
    return FilmFolder(video, folder).latent(0, {.prompt = "p"}).flatten()[0].item<float>();
  }

  TemporaryFolder root;
  const fs::path video = root.path() / "film.mp4", folder = root.path() / "film.film",
                 next = root.path() / "film.film.next";
};

TEST_F(FilmOutputs, ReplaceAFilmOnlyWhenTheNewOneIsWhole) {
  make(FilmMode::fresh, 0, "old");
  make(FilmMode::overwrite, 1, "", /*whole=*/false);
  EXPECT_EQ(text(video), "old");
  EXPECT_EQ(latent(), 0);
  EXPECT_EQ(refusal(FilmMode::resume, 0), "");  // the old one can still be gone on with
  EXPECT_THAT(refusal(FilmMode::resume, 2), HasSubstr("film.seed was 1, is 2"));
  EXPECT_THAT(refusal(FilmMode::fresh, 1), HasSubstr("a film was begun there"));

  make(FilmMode::resume, 1, "new");

  EXPECT_EQ(text(video), "new");
  EXPECT_EQ(latent(), 1);
  EXPECT_EQ(root.count(), 2);
}

TEST_F(FilmOutputs, AreBegunAnewAsOftenAsNeeded) {
  make(FilmMode::fresh, 0, "old");
  make(FilmMode::overwrite, 1, "", /*whole=*/false);
  make(FilmMode::overwrite, 2, "newest");
  EXPECT_EQ(text(video), "newest");
  EXPECT_EQ(latent(), 2);
  EXPECT_EQ(root.count(), 2);
}

TEST_F(FilmOutputs, NeverReplaceAVideoThatTheyDidNotRecord) {
  write_file(video, "precious");
  EXPECT_THAT(refusal(FilmMode::fresh), HasSubstr("is there already"));
  EXPECT_THAT(refusal(FilmMode::overwrite), HasSubstr("does not replace it"));
  EXPECT_THAT(refusal(FilmMode::resume), HasSubstr("does not replace it"));
  fs::remove(video);

  make(FilmMode::fresh, 0, "old");
  write_file(video, "the same film, graded by hand");
  for (const auto mode : {FilmMode::overwrite, FilmMode::resume, FilmMode::redecode})
    EXPECT_THAT(refusal(mode), HasSubstr("does not replace it"));
}

TEST_F(FilmOutputs, NeverEmptyAFolderOfOthers) {
  write_file(folder / "film.ini", "precious");
  write_file(folder / "clip-00000.h5", "precious");
  EXPECT_THAT(refusal(FilmMode::overwrite), HasSubstr("was not made by svi"));
  EXPECT_THAT(refusal(FilmMode::fresh), HasSubstr("a film was begun there"));
  fs::remove(folder / "clip-00000.h5");
  EXPECT_THAT(refusal(FilmMode::fresh), HasSubstr("holds film.ini"));
  fs::remove_all(folder);
  fs::create_directory_symlink(root.path(), folder);
  EXPECT_THAT(refusal(FilmMode::overwrite), HasSubstr("was not made by svi"));
}

TEST_F(FilmOutputs, KeepFilesThatOthersPutAmongTheLatents) {
  make(FilmMode::fresh, 0, "old");
  write_file(folder / "notes.txt", "mine");
  make(FilmMode::overwrite, 1, "new");
  EXPECT_EQ(text(folder / "notes.txt"), "mine");
  EXPECT_EQ(latent(), 1);
  EXPECT_EQ(root.count(), 2);
}

TEST_F(FilmOutputs, AreNotInTheWayAfterAFailure) {
  {
    FilmOutput output(video, FilmMode::fresh);
    output.check(settings(0));
    output.begin(settings(0));
    EXPECT_TRUE(fs::exists(folder));
    output.abandon();
  }
  EXPECT_EQ(root.count(), 0);
  FilmFolder(video, folder).create(settings(0));  // as kill -9 leaves it
  EXPECT_EQ(refusal(FilmMode::fresh, 5), "");
  make(FilmMode::resume, 5, "whole");
  EXPECT_EQ(latent(), 5);
}

TEST_F(FilmOutputs, GoOnWhereTheSwapWasCutOff) {
  make(FilmMode::fresh, 0, "old");
  make(FilmMode::overwrite, 1, "", /*whole=*/false);
  fs::rename(folder, root.path() / "film.film.old");
  make(FilmMode::resume, 1, "new");
  EXPECT_EQ(text(video), "new");
  EXPECT_EQ(root.count(), 2);
}

TEST_F(FilmOutputs, TellHowManyClipsTheVideoShows) {
  make(FilmMode::fresh, 0, "old");
  EXPECT_EQ(FilmFolder(video, folder).recorded_clips(), 1);
  FilmFolder(video, folder).record(video, 7);
  EXPECT_EQ(FilmFolder(video, folder).recorded_clips(), 7);
  write_file(video, "other");
  EXPECT_EQ(FilmFolder(video, folder).recorded_clips(), 0);
}

TEST_F(FilmOutputs, RefusePlacesThatCannotWork) {
  const auto place = [&](const std::string& name, const std::vector<std::string>& inputs = {}) {
    try {
      FilmOutput(root.path() / name, FilmMode::fresh).check_place(inputs);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  for (const auto* name : {"film.mp4", "film.MP4", "film.mov", "film.mkv", "film.m4v"})
    EXPECT_EQ(place(name), "");
  for (const auto* name : {"film.avi", "film.webm", "film.gif", "film.xyz", "precious.txt"})
    EXPECT_THAT(place(name), HasSubstr("a film is not written as"));
  EXPECT_THAT(place("film"), HasSubstr("has no ending"));
  EXPECT_THAT(place(".mp4"), HasSubstr("has no ending"));
  write_file(root.path() / "in.mp4", "x");
  fs::create_hard_link(root.path() / "in.mp4", root.path() / "hard.mp4");
  EXPECT_THAT(place("in.mp4", {root / "in.mp4"}), HasSubstr("which this film reads"));
  EXPECT_THAT(place("hard.mp4", {root / "in.mp4"}), HasSubstr("which this film reads"));
  write_file(root.path() / "in.film/c.mp4", "x");
  EXPECT_THAT(place("in.mp4", {root / "in.film/c.mp4"}), HasSubstr("which this film reads"));
  EXPECT_EQ(place("in.mp4", {root / "other.png"}), "");
}

}  // namespace
}  // namespace svi
