#include "svi/measure/film_file.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/video_writer.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

constexpr double kLevel = 2.01 / 255;  // what coding of grey pictures changes at most

/// Grey frames that get lighter, one level per frame apart from the others: uint8 [T, 3, H, W].
at::Tensor grey_film(std::int64_t frames, std::int64_t height, std::int64_t width) {
  const auto levels = (20 + 15 * at::arange(frames)).to(at::kByte).view({frames, 1, 1, 1});
  return levels.expand({frames, 3, height, width}).contiguous();
}

/// Writes a film into the folder, nearly without loss; returns its path.
std::string write_film(const TemporaryFolder& folder, const std::string& name,
                       const at::Tensor& frames, std::int64_t upscale = 1) {
  VideoWriterOptions options;
  options.fps_numerator = 10;
  options.crf = 1;
  options.upscale = upscale;
  write_video(folder / name, frames, options);
  return folder / name;
}

struct SeenClip {
  std::int64_t film, clip, first_frame;
  at::Tensor frames, truth;
  std::string prompt;
  double fps;
  std::string file;
  std::int64_t film_frames;
};

std::vector<SeenClip> watch_films(std::vector<FilmFile> files, const FilmFileOptions& options) {
  std::vector<SeenClip> seen;
  VideoFilms(std::move(files), options).run([&](std::int64_t film, const ClipView& clip) {
    seen.push_back({film, clip.clip, clip.first_frame, clip.frames, clip.truth, clip.prompt,
                    clip.fps, std::string(clip.file), clip.film_frames});
  });
  return seen;
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const IoError& error) {
    return error.what();
  }
  return "not refused";
}

TEST(VideoFilms, GivesEveryFrameOnceInClipsOfEqualLength) {
  const TemporaryFolder folder;
  const auto path = write_film(folder, "a.mp4", grey_film(7, 16, 32));
  const FilmFileOptions options{.clip_frames = 3};
  const auto film = open_film(path, "", options);
  EXPECT_EQ(film.frames, 7);
  EXPECT_DOUBLE_EQ(film.fps, 10);

  const auto seen = watch_films({film, {}, film}, options);  // the second is empty

  ASSERT_EQ(seen.size(), 6u);
  std::int64_t frame = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(seen[c].film, 0);
    EXPECT_EQ(seen[c + 3].film, 2);
    EXPECT_EQ(seen[c].clip, static_cast<std::int64_t>(c));
    EXPECT_EQ(seen[c].first_frame, frame);
    EXPECT_DOUBLE_EQ(seen[c].fps, 10);
    EXPECT_EQ(seen[c].file, path);  // where a metric finds its sound
    EXPECT_EQ(seen[c].film_frames, 7);
    EXPECT_FALSE(seen[c].truth.defined());
    ASSERT_TRUE(seen[c].frames.sizes().equals({3, c < 2 ? 3 : 1, 16, 32}));
    for (std::int64_t t = 0; t < seen[c].frames.size(1); ++t, ++frame) {
      const auto difference = seen[c].frames.select(1, t) - (20 + 15 * frame) / 255.0;
      EXPECT_LE(difference.abs().max().item<double>(), kLevel) << frame;
    }
  }
  EXPECT_EQ(frame, 7);
}

TEST(VideoFilms, KnowsClipsPromptsAndSizeFromTheRecord) {
  const TemporaryFolder folder;
  // Odd sizes three times as large: the codec adds a row and a column.
  auto frames = grey_film(5, 11, 13);
  frames.select(2, 10).fill_(250);  // the last row, which its copy must not change
  const auto path = write_film(folder, "a.mp4", frames, 3);
  write_film_record(path, {11, 13, 3, {{0, 3, "a red disc"}, {3, 2, "a blue one"}}});

  const auto film = open_film(path, "", {});
  EXPECT_EQ(film.video.height, 11);
  EXPECT_EQ(film.video.width, 13);
  const auto seen = watch_films({film}, {});

  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[1].first_frame, 3);
  EXPECT_EQ(seen[0].prompt, "a red disc");
  EXPECT_EQ(seen[1].prompt, "a blue one");
  ASSERT_TRUE(seen[0].frames.sizes().equals({3, 3, 11, 13}));
  const auto wanted = frames.slice(0, 3, 5).transpose(0, 1) / 255.0;
  EXPECT_LE((seen[1].frames - wanted).abs().max().item<double>(), 2 * kLevel);
}

TEST(VideoFilms, AtAnotherRateKnowsNoClipsOfTheRecord) {
  const TemporaryFolder folder;
  const auto path = write_film(folder, "a.mp4", grey_film(6, 16, 16));
  write_film_record(path, {16, 16, 1, {{0, 6, "a disc"}}});
  const FilmFileOptions options{.clip_frames = 4, .fps = 5};
  const auto film = open_film(path, "", options);
  EXPECT_EQ(film.frames, 3);
  const auto seen = watch_films({film}, options);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].frames.size(1), 3);
  EXPECT_NEAR(seen[0].frames[0][1][0][0].item<double>(), 50 / 255.0, kLevel);  // frame 2
  EXPECT_DOUBLE_EQ(seen[0].fps, 5);
}

TEST(VideoFilms, CountsFramesThatTheHeaderDoesNotCount) {
  const TemporaryFolder folder;
  const auto path = write_film(folder, "a.mkv", grey_film(9, 16, 16));
  EXPECT_EQ(open_film(path, "", {}).frames, 9);
}

TEST(VideoFilms, ShowTheTruthAsFarAsItGoes) {
  const TemporaryFolder folder;
  const auto path = write_film(folder, "a.mp4", grey_film(6, 16, 16));
  const auto truth = write_film(folder, "b.mp4", grey_film(4, 16, 16));
  const FilmFileOptions options{.clip_frames = 2};
  const auto seen = watch_films({open_film(path, truth, options)}, options);
  ASSERT_EQ(seen.size(), 3u);
  ASSERT_TRUE(seen[1].truth.defined());
  EXPECT_LE((seen[1].truth - seen[1].frames).abs().max().item<double>(), kLevel);
  EXPECT_FALSE(seen[2].truth.defined());

  const auto large = write_film(folder, "c.mp4", grey_film(6, 16, 18));
  const auto text = refusal([&] { open_film(path, large, options); });
  EXPECT_THAT(text, HasSubstr(path));
  EXPECT_THAT(text, HasSubstr(large));
  EXPECT_THAT(text, HasSubstr("16x16 pixels"));
  EXPECT_THAT(text, HasSubstr("18x16"));
}

TEST(VideoFilms, RefusesARecordOfAnotherFilm) {
  const TemporaryFolder folder;
  const auto path = write_film(folder, "a.mp4", grey_film(6, 16, 16));
  const auto open = [&] { open_film(path, "", {}); };
  write_film_record(path, {16, 16, 1, {{0, 5, ""}}});
  EXPECT_THAT(refusal(open), HasSubstr("holds 6 frames, but its record"));
  write_film_record(path, {8, 16, 1, {{0, 6, ""}}});
  EXPECT_THAT(refusal(open), HasSubstr("is of a film of 16x8, enlarged 1 times"));
  write_film_record(path, {16, 16, 1, {{0, 3, ""}, {4, 2, ""}}});
  EXPECT_THAT(refusal(open), HasSubstr("its clips do not follow each other"));
  write_bytes(folder / "a.json", "{\"format\": 1}");
  EXPECT_THAT(refusal(open), HasSubstr("a.json: is no record of a film"));
  write_bytes(folder / "a.json", R"({"format": 2})");
  EXPECT_THAT(refusal(open), HasSubstr("newer format"));
}

TEST(VideoFilms, NamesAFileThatIsMissingEmptyOrBroken) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal([&] { open_film(folder / "none.mp4", "", {}); }), HasSubstr("none.mp4"));
  write_bytes(folder / "empty.mp4", "");
  EXPECT_THAT(refusal([&] { open_film(folder / "empty.mp4", "", {}); }), HasSubstr("empty.mp4"));
  const auto path = write_film(folder, "a.mp4", grey_film(30, 64, 64));
  auto bytes = bytes_of_file(path);
  write_bytes(path, bytes.substr(0, bytes.size() / 2));
  const auto measured = [&] { watch_films({open_film(path, "", {})}, {}); };
  const auto text = refusal(measured);  // cut in the middle: refused, or measured as far as it goes
  if (text != "not refused") {
    EXPECT_THAT(text, HasSubstr("a.mp4"));
  }
}

}  // namespace
}  // namespace svi
