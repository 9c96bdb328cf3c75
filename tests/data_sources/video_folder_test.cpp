#include "svi/data/video_folder.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "support/captured_log.hpp"
#include "support/ffmpeg_program.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/data/builtins.hpp"
#include "svi/io/video_writer.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kMixkit = SVI_SOURCE_DIR "/data/mixkit";

/// A grey video whose frame t has brightness 10 t.
void write_ramp(const fs::path& path, std::int64_t frames, std::int64_t height = 32,
                std::int64_t width = 48) {
  fs::create_directories(path.parent_path());
  auto video = at::zeros({frames, 3, height, width}, at::kByte);
  for (std::int64_t t = 0; t < frames; ++t) video[t].fill_(10 * t);
  write_video(path.string(), video, {.crf = 0});
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// Index of each frame of a ramp, from its brightness: [3, T, H, W] -> T numbers.
std::vector<int> indices(const at::Tensor& video) {
  std::vector<int> found;
  for (std::int64_t t = 0; t < video.size(1); ++t) {
    const double level = (video.select(1, t).mean().item<double>() + 1) * 127.5;
    found.push_back(static_cast<int>(std::lround(level / 10)));
  }
  return found;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const IoError& error) {
    return error.what();
  }
  return "no IoError";
}

TEST(VideoFolder, ReadsRealClipsWithTheirCaptions) {
  const VideoFolder folder({.path = kMixkit});
  const ClipShape shape{17, 32, 56};

  ASSERT_EQ(folder.scene_count(), 4);
  const auto scene = folder.scene(0, shape);
  EXPECT_THAT(scene.prompts[0], HasSubstr("A white, blue-eyed cat sits"));
  EXPECT_THAT(scene.name, HasSubstr("white-cat"));
  EXPECT_TRUE(scene.image.sizes().equals({3, 32, 56}));
  EXPECT_TRUE(at::equal(folder.truth(0, 0, 17, shape)->select(1, 0), scene.image));
  // 81 frames, of which the first is black.
  EXPECT_TRUE(folder.truth(0, 63, 17, shape).has_value());
  EXPECT_FALSE(folder.truth(0, 64, 17, shape).has_value());
  EXPECT_GT(scene.image.std().item<double>(), 0.1);
}

TEST(VideoFolder, IsAFunctionOfSeedAndDrawWhateverIsCached) {
  const ClipShape shape{9, 24, 40};
  const VideoFolder warm({.path = kMixkit + "/sea"});
  const VideoFolder cold({.path = kMixkit + "/sea", .cache_mebibytes = 0});
  for (std::int64_t draw = 0; draw < 4; ++draw) warm.training_clip(1, draw, shape);

  const auto a = warm.training_clip(2, 5, shape), b = cold.training_clip(2, 5, shape);

  EXPECT_TRUE(at::equal(a.video, b.video));
  EXPECT_TRUE(at::equal(a.anchor, b.anchor));
  EXPECT_EQ(a.prompt, b.prompt);
}

TEST(VideoFolder, GivesThePosesOfItsFramesAndTheImageAtTheEnd) {
  const TemporaryFolder files;
  write_ramp(files / "videos/cats/ramp.mp4", 12);
  write_ramp(files / "poses/cats/ramp.mkv", 12, 64, 96);  // twice as large
  const VideoFolder folder(
      {.path = files / "videos", .pose = files / "poses", .end = true, .cache_mebibytes = 1});
  const ClipShape shape{8, 16, 24};

  for (std::int64_t draw = 0; draw < 5; ++draw) {
    const auto clip = folder.training_clip(0, draw, shape);
    const auto& pose = clip.tracks["pose"];  // [8, 3, 16, 24] uint8
    ASSERT_TRUE(pose.sizes().equals({8, 3, 16, 24}));
    EXPECT_EQ(indices(told_values(pose).transpose(0, 1)), indices(clip.video));
    EXPECT_TRUE(at::equal(clip.tracks["end"], clip.video.select(1, 7)));
  }
  const auto longer = folder.training_clip(0, 0, {14, 16, 24});
  EXPECT_EQ(indices(told_values(longer.tracks["pose"]).transpose(0, 1)), indices(longer.video));
  const auto scene = folder.scene(0, shape);
  EXPECT_TRUE(scene.tracks["pose"].sizes().equals({12, 3, 16, 24}));
  EXPECT_EQ(indices(scene.tracks["end"].unsqueeze(1)), (std::vector<int>{11}));
}

TEST(VideoFolder, RefusesPosesThatDoNotFit) {
  const TemporaryFolder files;
  write_ramp(files / "videos/ramp.mp4", 12);
  fs::create_directories(files / "poses");
  const auto said = [&] {
    return message_of([&] {
      VideoFolder({.path = files / "videos", .pose = files / "poses"}).scene(0, {8, 16, 24, 16});
    });
  };
  EXPECT_THAT(said(), HasSubstr("there is no pose video of"));
  write_ramp(files / "poses/ramp.mp4", 9);
  EXPECT_THAT(said(), HasSubstr("has 9 frames at 16 per second"));
  write_ramp(files / "poses/ramp.mp4", 12, 48, 32);
  EXPECT_THAT(said(), HasSubstr("32x48 pixels cannot be laid over 48x32"));
}

TEST(VideoFolder, DrawsWindowsUpToTheLastFrame) {
  const TemporaryFolder files;
  write_ramp(files.path() / "ramp.mp4", 12);
  const VideoFolder folder({.path = files.path().string()});
  std::set<int> starts;

  for (std::int64_t draw = 0; draw < 60; ++draw) {
    const auto clip = folder.training_clip(0, draw, {8, 16, 24});
    const auto shown = indices(clip.video);
    starts.insert(shown[0]);
    for (int t = 0; t < 8; ++t) EXPECT_EQ(shown[static_cast<std::size_t>(t)], shown[0] + t);
    const int anchor = indices(clip.anchor.unsqueeze(1))[0];
    EXPECT_GE(anchor, shown[0]);
    EXPECT_LE(anchor, shown[7]);
  }

  EXPECT_EQ(starts, (std::set<int>{0, 1, 2, 3, 4}));
}

TEST(VideoFolder, AFileAsLongAsAClipIsShownWhole) {
  const TemporaryFolder files;
  write_ramp(files.path() / "ramp.mp4", 9);
  const VideoFolder folder({.path = (files.path() / "ramp.mp4").string(), .caption = "a ramp"});

  const auto exact = folder.training_clip(0, 0, {9, 16, 24});
  const auto longer = folder.training_clip(0, 0, {11, 16, 24});

  EXPECT_EQ(indices(exact.video), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(indices(longer.video), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8}));
  EXPECT_EQ(exact.prompt, "a ramp");
}

TEST(VideoFolder, AnchorsMayComeFromTheWholeFile) {
  const TemporaryFolder files;
  write_ramp(files.path() / "ramp.mp4", 12);
  const VideoFolder folder({.path = files.path().string(), .anchor = AnchorFrom::file});
  bool outside = false;

  for (std::int64_t draw = 0; draw < 20; ++draw) {
    const auto clip = folder.training_clip(0, draw, {3, 16, 24});
    const int anchor = indices(clip.anchor.unsqueeze(1))[0], first = indices(clip.video)[0];
    outside = outside || anchor < first || anchor > first + 2;
  }

  EXPECT_TRUE(outside);
}

TEST(VideoFolder, AnchorsMayComeFromOutsideTheSampleOrFromBeforeIt) {
  const TemporaryFolder files;
  write_ramp(files.path() / "ramp.mp4", 8);
  const auto drawn = [&](AnchorFrom from, std::int64_t frames) {
    const VideoFolder folder({.path = files.path().string(), .anchor = from});
    std::set<std::pair<int, int>> pairs;  // first frame and anchor
    for (std::int64_t draw = 0; draw < 200; ++draw) {
      const auto clip = folder.training_clip(0, draw, {frames, 16, 24});
      pairs.emplace(indices(clip.video)[0], indices(clip.anchor.unsqueeze(1))[0]);
    }
    return pairs;
  };

  std::set<std::pair<int, int>> outside, before{{0, 0}};  // what can be drawn of windows of five
  for (int first = 0; first <= 3; ++first) {
    for (int anchor = 0; anchor < 8; ++anchor) {
      if (anchor < first || anchor > first + 4) outside.emplace(first, anchor);
      if (anchor < first) before.emplace(first, anchor);
    }
  }
  EXPECT_EQ(drawn(AnchorFrom::outside, 5), outside);
  EXPECT_EQ(drawn(AnchorFrom::before, 5), before);
  // A file that the sample shows whole has no other frame.
  EXPECT_EQ(drawn(AnchorFrom::outside, 8), (std::set<std::pair<int, int>>{{0, 0}}));
  EXPECT_EQ(drawn(AnchorFrom::before, 9), (std::set<std::pair<int, int>>{{0, 0}}));
}

TEST(VideoFolder, CropsKeepTheTargetsShape) {
  const TemporaryFolder files;
  auto video = at::zeros({2, 3, 64, 64}, at::kByte);
  video.slice(2, 0, 32).fill_(200);  // upper half bright
  write_video((files.path() / "halves.mp4").string(), video, {.crf = 0});
  const VideoFolder folder({.path = files.path().string()});

  // A wide target shows all columns and, for the scene, the middle rows.
  const auto image = folder.scene(0, {2, 16, 32}).image;

  EXPECT_GT(image.slice(1, 0, 7).min().item<float>(), 0.3f);
  EXPECT_LT(image.slice(1, 9, 16).max().item<float>(), -0.7f);
}

TEST(VideoFolder, CaptionsFallBackToTheCategory) {
  const TemporaryFolder files;
  write_ramp(files.path() / "Dogs" / "a.mp4", 2);
  write_ramp(files.path() / "Dogs" / "b.mp4", 2);
  write_ramp(files.path() / "trees" / "c.mp4", 2);
  write_text(files.path() / "Dogs" / "Dogs.csv",
             "Filename,Video Description\na.mp4,\"A dog, asleep\"\ngone.mp4,nothing\nshort\n");

  const auto entries = list_videos(files.path().string(), "A video");

  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].caption, "A dog, asleep");
  EXPECT_EQ(entries[1].caption, "A video from Dogs category");
  EXPECT_EQ(entries[2].caption, "A video from trees category");
}

TEST(VideoFolder, FindsVideosInDeepFolders) {
  const TemporaryFolder files;
  write_ramp(files.path() / "a" / "b" / "deep.mp4", 2);

  const auto entries = list_videos(files.path().string(), "all alike");

  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].caption, "all alike");
}

TEST(VideoFolder, KeepsHeldOutVideosFromTraining) {
  const TemporaryFolder files;
  write_ramp(files.path() / "x" / "a.mp4", 2);
  write_ramp(files.path() / "y" / "b.mp4", 2);
  const VideoFolder folder({.path = files.path().string(), .held_out = 1});

  EXPECT_EQ(folder.scene_count(), 1);
  EXPECT_EQ(folder.scene(0, {2, 16, 24}).prompts[0], "A video from y category");
  for (std::int64_t draw = 0; draw < 10; ++draw) {
    EXPECT_EQ(folder.training_clip(0, draw, {2, 16, 24}).prompt, "A video from x category");
  }
}

TEST(VideoFolder, PassesOverBrokenFilesWhileOthersRemain) {
  const TemporaryFolder files;
  write_text(files.path() / "broken.mp4", "no video at all");
  write_ramp(files.path() / "good.mp4", 3);
  const VideoFolder folder({.path = files.path().string()});

  for (std::int64_t draw = 0; draw < 6; ++draw) {
    EXPECT_EQ(indices(folder.training_clip(0, draw, {3, 16, 24}).video),
              (std::vector<int>{0, 1, 2}));
  }
  EXPECT_THAT(message_of([&] { folder.scene(0, {3, 16, 24}); }), HasSubstr("broken.mp4"));

  fs::remove(files.path() / "good.mp4");
  const VideoFolder none({.path = files.path().string()});
  EXPECT_THAT(message_of([&] {
                none.training_clip(0, 0, {3, 16, 24});
              }),
              HasSubstr("none of its 1 videos can be read"));
}

TEST(VideoFolder, RetimesItsVideosToTheRateOfTheClip) {
  const TemporaryFolder files;
  auto video = at::zeros({24, 3, 32, 48}, at::kByte);
  for (std::int64_t t = 0; t < 24; ++t) video[t].fill_(10 * t);
  write_video((files.path() / "fast.mp4").string(), video, {.fps_numerator = 48, .crf = 0});
  const VideoFolder folder({.path = files.path().string()});

  EXPECT_EQ(
      indices(
          folder.training_clip(0, 0, {.frames = 8, .height = 16, .width = 24, .fps = 16}).video),
      (std::vector<int>{0, 3, 6, 9, 12, 15, 18, 21}));
  EXPECT_EQ(indices(*folder.truth(0, 0, 8, {.frames = 8, .height = 16, .width = 24, .fps = 16})),
            (std::vector<int>{0, 3, 6, 9, 12, 15, 18, 21}));
  // Without a rate, and again with it: the same file at another rate is another entry of the cache.
  EXPECT_EQ(indices(*folder.truth(0, 0, 4, {4, 16, 24})), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(indices(*folder.truth(0, 0, 4, {.frames = 4, .height = 16, .width = 24, .fps = 24})),
            (std::vector<int>{0, 2, 4, 6}));
}

TEST(VideoFolder, PassesOverSoundThatIsCalledVideo) {
  const TemporaryFolder files;
  const auto root = files.path().string();
  ffmpeg("-f lavfi -i color=red:s=32x32 -frames:v 1 " + root + "/cover.jpg");
  ffmpeg("-f lavfi -i sine=440:d=1 " + root + "/sound.MP4");
  ffmpeg("-i " + root + "/sound.MP4 -i " + root +
         "/cover.jpg -map 0:a -map 1:v -c copy "
         "-disposition:v:0 attached_pic " +
         root + "/song.mp4");
  EXPECT_THAT(message_of([&] { VideoFolder({.path = root}); }), HasSubstr("holds no video"));
  EXPECT_THAT(message_of([&] { VideoFolder({.path = root + "/song.mp4"}); }),
              HasSubstr("has no video, only sound and a cover picture"));

  write_ramp(files.path() / "good.MP4", 3);
  const CapturedLog log;
  // Also where the file would be the held-out one, the last by name.
  const VideoFolder folder({.path = root});

  ASSERT_EQ(folder.scene_count(), 1);
  EXPECT_EQ(indices(folder.training_clip(0, 0, {3, 16, 24}).video), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(folder.scene(0, {3, 16, 24}).image.size(0), 3);
  EXPECT_THAT(log.text(), HasSubstr("passed over: " + root + "/song.mp4: has no video"));
  EXPECT_THAT(log.text(), HasSubstr("passed over: " + root + "/sound.MP4: has no video"));
}

TEST(VideoFolder, TellsOnceWhatIsMissingInAFile) {
  const TemporaryFolder files;
  const auto root = files.path().string();
  ffmpeg("-f lavfi -i testsrc=s=96x64:r=16:d=2 -c:v libx264 -pix_fmt yuv420p " + root +
         "/whole.mkv");
  const auto bytes = bytes_of_file(root + "/whole.mkv");
  write_bytes(root + "/cut.mkv", bytes.substr(0, bytes.size() * 3 / 4));
  fs::remove(root + "/whole.mkv");
  const VideoFolder folder({.path = root, .cache_mebibytes = 0});
  const CapturedLog log;

  for (int i = 0; i < 3; ++i) folder.training_clip(0, i, {3, 16, 24});

  const auto text = log.text(), part = std::string("of about 32 frames");
  ASSERT_THAT(text, HasSubstr(part));
  EXPECT_EQ(text.find(part), text.rfind(part));
}

TEST(VideoFolder, SaysWhatIsMissing) {
  const TemporaryFolder files;
  const auto root = files.path().string();

  EXPECT_THAT(message_of([&] { VideoFolder({.path = root + "/absent"}); }),
              HasSubstr("no such file or folder"));
  EXPECT_THAT(message_of([&] { VideoFolder({.path = root}); }), HasSubstr("holds no video"));
  write_text(files.path() / "notes.txt", "x");
  EXPECT_THAT(message_of([&] { VideoFolder({.path = root + "/notes.txt"}); }),
              HasSubstr("neither a folder nor a video"));
  write_ramp(files.path() / "cats" / "a.mp4", 2);
  write_text(files.path() / "cats" / "cats.csv", "File,Video Description\na.mp4,x\n");
  EXPECT_THAT(message_of([&] { VideoFolder({.path = root}); }),
              HasSubstr("no column \"Filename\""));
}

TEST(BuiltInData, IsMadeFromItsSection) {
  Registry registry;
  Registrar registrar(registry, "built-in");
  register_data(registrar);
  const auto folder = Document::parse(
      "[data]\ntype = video_folder\nanchor = file\npath = " + kMixkit + "\n", "test.ini");
  const auto bad = Document::parse("[data]\nanchor = nowhere\n", "test.ini");

  EXPECT_EQ(registry.make<ClipSource>(folder, "")->scene_count(), 4);
  EXPECT_THROW(registry.make<ClipSource>(bad, "video_folder"), ConfigError);
}

}  // namespace
}  // namespace svi
