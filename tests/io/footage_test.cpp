// Videos as cameras, phones and other programs make them.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/ffmpeg_program.hpp"
#include "support/picture_files.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/io/video_writer.hpp"

namespace svi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const IoError& error) {
    return error.what();
  }
  return "no IoError";
}

struct Read {
  at::Tensor frames;  // [T, 3, H, W]
  std::vector<std::string> notes, warnings;
};

Read read_all(const std::string& path, VideoReaderOptions options = {}) {
  VideoReader reader(path, options);
  std::vector<at::Tensor> frames;
  while (const auto frame = reader.next()) frames.push_back(*frame);
  Read result{at::stack(frames), {}, {}};
  for (const auto& note : reader.notes())
    (note.warning ? result.warnings : result.notes).push_back(note.text);
  return result;
}

class Footage : public testing::Test {
 protected:
  /// A moving test picture of 96x64, 16 frames per second unless `source` says otherwise.
  std::string movie(const std::string& name,
                    const std::string& options = "-c:v libx264 -pix_fmt yuv420p",
                    const std::string& source = "r=16:d=2") {
    ffmpeg("-f lavfi -i testsrc=s=96x64:" + source + " " + options + " " + (folder_ / name));
    return folder_ / name;
  }
  /// A video of one frame per grey level 8 k, at these times in milliseconds.
  std::string ramp(const std::string& name, const std::vector<int>& milliseconds,
                   const std::string& options = "") {
    const auto frames = static_cast<std::int64_t>(milliseconds.size());
    const auto levels = (at::arange(frames) * 8).to(at::kByte).view({frames, 1, 1, 1});
    const auto bytes = levels.expand({frames, 16, 16, 3}).contiguous();
    write_bytes(folder_ / "ramp.rgb",
                {reinterpret_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()});
    std::string times;
    for (std::size_t i = 0; i < milliseconds.size(); ++i)
      times += cat("+", milliseconds[i], "*eq(N\\,", i, ")");
    ffmpeg(cat(
        "-f rawvideo -pix_fmt rgb24 -s 16x16 -r 16 -i ", folder_ / "ramp.rgb",
        " -vf \"settb=1/1000,setpts=", times.substr(1),
        "\" -vsync passthrough -enc_time_base 1/1000 -c:v libx264 -crf 0 -bf 0 -pix_fmt yuv420p ",
        options, " ", folder_ / name));
    return folder_ / name;
  }
  static std::vector<int> shown(const at::Tensor& frames) {
    std::vector<int> found;
    for (std::int64_t t = 0; t < frames.size(0); ++t)
      found.push_back(
          static_cast<int>(std::lround(frames[t].to(at::kDouble).mean().item<double>() / 8)));
    return found;
  }

  TemporaryFolder folder_;
};

/// The matrix in the track header of an mp4 or mov file, replaced.
std::string with_matrix(std::string bytes, const std::array<int, 4>& abcd) {
  const auto track = bytes.find("tkhd");
  const auto place = track + 4 + 4 + 20 + 8 + 8;  // version 0
  const std::array<std::int64_t, 9> matrix = {
      abcd[0] << 16, abcd[1] << 16, 0, abcd[2] << 16, abcd[3] << 16, 0, 0, 0, 1 << 30};
  for (std::size_t i = 0; i < 9; ++i)
    bytes.replace(place + 4 * i, 4,
                  bytes_of_number(static_cast<std::uint64_t>(matrix[i]), 4, true));
  return bytes;
}

TEST_F(Footage, IsTurnedUprightAsByTheFfmpegProgram) {
  const std::vector<std::array<int, 4>> matrices = {{1, 0, 0, 1},   {-1, 0, 0, 1}, {-1, 0, 0, -1},
                                                    {1, 0, 0, -1},  {0, 1, 1, 0},  {0, 1, -1, 0},
                                                    {0, -1, -1, 0}, {0, -1, 1, 0}};
  for (const std::string name : {"a.mp4", "a.mov"}) {
    const auto bytes = bytes_of_file(movie(name));
    for (const auto& matrix : matrices) {
      const auto path = folder_ / ("turned" + name);
      write_bytes(path, with_matrix(bytes, matrix));
      const bool crossed = matrix[0] == 0;

      const auto read = read_all(path);

      const auto expected = frames_of_ffmpeg(path, crossed ? 96 : 64, crossed ? 64 : 96);
      EXPECT_TRUE(read.frames.equal(expected)) << name << " " << testing::PrintToString(matrix);
      EXPECT_THAT(read.warnings, IsEmpty());
      const VideoReader reader(path);
      EXPECT_EQ(reader.info().width, crossed ? 64 : 96);
      EXPECT_EQ(reader.info().height, crossed ? 96 : 64);
    }
  }
}

TEST_F(Footage, TaggedByAPhoneIsTurnedInEveryContainerThatKeepsTheTag) {
  movie("a.mp4");
  for (const int degrees : {90, 180, 270}) {
    for (const std::string ending : {"mp4", "mov"}) {
      const auto path = folder_ / cat("b.", ending);
      ffmpeg(cat("-i ", folder_ / "a.mp4", " -c copy -metadata:s:v rotate=", degrees, " ", path));
      const bool crossed = degrees != 180;
      EXPECT_TRUE(
          read_video(path).equal(frames_of_ffmpeg(path, crossed ? 96 : 64, crossed ? 64 : 96)))
          << ending << " " << degrees;
    }
  }
  // In the video itself, counted the other way round.
  for (const std::string ending : {"mkv", "mp4", "ts"}) {
    const auto path = folder_ / cat("c.", ending);
    ffmpeg(cat("-i ", folder_ / "a.mp4", " -c copy -bsf:v h264_metadata=display_orientation=",
               "insert:rotate=90:flip=horizontal ", path));
    EXPECT_TRUE(read_video(path).equal(read_video(folder_ / "a.mp4").transpose(2, 3))) << ending;
  }
}

TEST_F(Footage, TurnedByNoRightAngleIsTakenAsItIsWithAWarning) {
  write_bytes(folder_ / "b.mp4", with_matrix(bytes_of_file(movie("a.mp4")), {1, 1, -1, 1}));

  const auto read = read_all(folder_ / "b.mp4");

  EXPECT_TRUE(read.frames.equal(read_video(folder_ / "a.mp4")));
  EXPECT_THAT(read.warnings, ElementsAre(HasSubstr("no multiple of 90 degrees")));
}

/// RGB of one Y'CbCr value, by the definition of a matrix, rounded to the nearest level.
std::array<int, 3> exact_rgb(std::array<double, 3> yuv, double kr, double kb, bool full, int bits) {
  const double unit = std::pow(2, bits - 8), middle = 128 * unit;
  const double y = full ? yuv[0] / (std::pow(2, bits) - 1) : (yuv[0] - 16 * unit) / (219 * unit);
  const double scale = full ? std::pow(2, bits) - 1 : 224 * unit;
  const double cb = (yuv[1] - middle) / scale, cr = (yuv[2] - middle) / scale;
  const double r = y + 2 * (1 - kr) * cr, b = y + 2 * (1 - kb) * cb;
  const double g = (y - kr * r - kb * b) / (1 - kr - kb);
  const auto level = [](double value) {
    return static_cast<int>(std::lround(std::clamp(255 * value, 0.0, 255.0)));
  };
  return {level(r), level(g), level(b)};
}

TEST_F(Footage, HasTheColoursOfItsMatrixAndRange) {
  struct Kind {
    std::string format, tags;
    double kr, kb;
    bool full = false;
    int bits = 8;
  };
  const std::vector<Kind> kinds = {
      {"yuv420p", "", 0.299, 0.114},  // untagged: BT.601 of limited range, at any size
      {"yuv420p", "-colorspace smpte170m", 0.299, 0.114},
      {"yuv420p", "-colorspace bt470bg", 0.299, 0.114},
      {"yuv420p", "-colorspace bt709", 0.2126, 0.0722},
      {"yuv420p", "-colorspace smpte240m", 0.212, 0.087},
      {"yuv420p", "-colorspace bt2020nc", 0.2627, 0.0593},
      {"yuvj420p", "-color_range pc", 0.299, 0.114, true},
      {"yuv420p", "-color_range pc -colorspace bt709", 0.2126, 0.0722, true},
      {"yuv444p", "-colorspace bt709", 0.2126, 0.0722},
      {"yuv420p10le", "-colorspace bt2020nc", 0.2627, 0.0593, false, 10},
      {"yuv420p10le", "-colorspace bt709 -color_range pc", 0.2126, 0.0722, true, 10},
  };
  for (const auto& kind : kinds) {
    const int unit = kind.bits == 10 ? 4 : 1;
    // Nine flat squares of 16 x 16, each of its own Y'CbCr.
    const std::string square = "(floor(X/16)+3*floor(Y/16))", chroma = "(floor(X/8)+3*floor(Y/8))";
    const bool halved = kind.format.find("444") == std::string::npos;
    const auto& c = halved ? chroma : square;
    ffmpeg(cat("-f lavfi -i \"color=s=48x48:r=16:d=0.25,format=", kind.format, ",geq=lum='", unit,
               "*(60+15*", square, ")':cb='", unit, "*(100+8*", c, ")':cr='", unit, "*(150-6*", c,
               ")'\" -c:v libx264 -crf 0 ", kind.tags, " ", folder_ / "a.mp4"));

    const auto frames = read_video(folder_ / "a.mp4");

    for (int i = 0; i < 9; ++i) {
      const auto expected =
          exact_rgb({unit * (60.0 + 15 * i), unit * (100.0 + 8 * i), unit * (150.0 - 6 * i)},
                    kind.kr, kind.kb, kind.full, kind.bits);
      const auto part = frames.slice(2, 16 * (i / 3), 16 * (i / 3) + 16)
                            .slice(3, 16 * (i % 3), 16 * (i % 3) + 16);
      for (int channel = 0; channel < 3; ++channel) {
        const auto off =
            part.select(1, channel).to(at::kInt) - expected[static_cast<std::size_t>(channel)];
        EXPECT_LE(off.abs().max().item<int>(), kind.full || kind.bits > 8 ? 1 : 0)
            << kind.format << " " << kind.tags << " square " << i << " channel " << channel;
      }
    }
  }
}

TEST_F(Footage, StaysWhatItIsWrittenAndReadFiveTimesOver) {
  ffmpeg("-f lavfi -i smptehdbars=s=320x192:r=16:d=1 -c:v libx264 -pix_fmt yuv420p " +
         (folder_ / "bars.mp4"));
  const auto first = read_video(folder_ / "bars.mp4");
  auto last = first;
  for (int generation = 0; generation < 5; ++generation) {
    write_video(folder_ / "again.mp4", last, {.crf = 12});
    last = read_video(folder_ / "again.mp4");
  }

  const auto change = last.to(at::kInt) - first.to(at::kInt);  // [T, 3, H, W]
  EXPECT_LE(change.to(at::kDouble).mean({0, 2, 3}).abs().max().item<double>(), 0.1);
  // The encoder itself moves a few pixels at the edges of bars; none of the bars changes.
  const auto off = change.abs().amax({0, 1});  // [H, W]
  EXPECT_LE(off.gt(2).to(at::kDouble).mean().item<double>(), 0.015);
  EXPECT_LE(off.max().item<int>(), 6);
  for (int y = 8; y < 192; y += 24) {
    for (int x = 4; x < 320; x += 8) {
      const auto level = [&](const at::Tensor& video) {
        return video.slice(2, y, y + 4).slice(3, x, x + 4).to(at::kDouble).mean({0, 2, 3});
      };
      EXPECT_LE((level(last) - level(first)).abs().max().item<double>(), 2) << y << " " << x;
    }
  }
}

TEST_F(Footage, IsWrittenWithTheTagsOfItsColours) {
  write_video(folder_ / "a.mp4", at::full({2, 3, 16, 16}, 90, at::kByte));
  ffmpeg("-i " + (folder_ / "a.mp4") + " -c copy " + (folder_ / "b.mkv"));

  for (const std::string name : {"a.mp4", "b.mkv"}) {
    const auto command =
        "ffprobe -v error -show_entries stream=color_space,color_range,color_transfer,"
        "color_primaries -of csv=p=0 " +
        (folder_ / name) + " > " + (folder_ / "tags");
    ASSERT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(bytes_of_file(folder_ / "tags"), "tv,smpte170m,smpte170m,smpte170m\n");
  }
}

TEST_F(Footage, OfHighDynamicRangeIsNamed) {
  for (const auto& [transfer, name] : {std::pair{"smpte2084", "PQ"}, {"arib-std-b67", "HLG"}}) {
    movie("a.mp4", cat("-c:v libx264 -pix_fmt yuv420p10le -colorspace bt2020nc -color_primaries "
                       "bt2020 -color_trc ",
                       transfer));
    EXPECT_THAT(read_all(folder_ / "a.mp4").warnings, ElementsAre(HasSubstr(cat("HDR (", name))));
  }
  movie("b.mp4", "-c:v libx264 -pix_fmt yuv420p10le -colorspace bt2020nc -color_primaries bt2020");
  EXPECT_THAT(read_all(folder_ / "b.mp4").warnings, ElementsAre(HasSubstr("BT.2020")));
  movie("c.mp4",
        "-c:v libx264 -pix_fmt yuv420p -colorspace bt709 -color_primaries bt709 -color_trc bt709");
  EXPECT_THAT(read_all(folder_ / "c.mp4").warnings, IsEmpty());
}

TEST_F(Footage, OfAnyRateIsRetimedByItsTimeStamps) {
  struct Rate {
    int rate, frames;
  };
  for (const auto& [rate, frames] :
       {Rate{30, 60}, Rate{60, 120}, Rate{25, 50}, Rate{12, 24}, Rate{16, 32}}) {
    for (const std::string ending : {"mp4", "mkv", "avi", "ts"}) {
      if (rate != 30 && ending != "mp4" && ending != "mkv") continue;
      const auto path =
          movie("a." + ending, "-c:v libx264 -pix_fmt yuv420p", cat("r=", rate, ":d=2"));
      const auto all = read_all(path).frames;
      ASSERT_EQ(all.size(0), frames) << path << " " << rate;

      const auto read = read_all(path, {.fps = 16});

      ASSERT_EQ(read.frames.size(0), 32) << path << " " << rate;
      for (std::int64_t k = 0; k < 32; ++k) {
        EXPECT_TRUE(read.frames[k].equal(all[k * rate / 16])) << path << " " << rate << " " << k;
      }
      EXPECT_THAT(read.warnings, IsEmpty());
      if (rate == 16) {
        EXPECT_THAT(read.notes, IsEmpty());
      } else {
        EXPECT_THAT(read.notes, ElementsAre(HasSubstr("are shown at 16: 32 frames")));
      }
    }
  }
}

TEST_F(Footage, OfVariableRateShowsTheFrameAtOrBeforeEachTime) {
  for (const std::string ending : {"mp4", "mkv"}) {
    // At 10 per second: 0, 100, 200, ... ms.
    const auto path = ramp("a." + ending, {0, 50, 99, 100, 301, 500, 510, 520, 900});
    const auto expected = std::vector<int>{0, 3, 3, 4, 4, 5, 7, 7, 7, 8};
    // The frame of 301 ms stands for 300: containers round to milliseconds.
    const auto read = shown(read_all(path, {.fps = 10}).frames);
    ASSERT_GE(read.size(), expected.size());
    EXPECT_EQ(std::vector<int>(read.begin(), read.begin() + 10), expected) << ending;
  }
}

TEST_F(Footage, GivesAnyRunOfRetimedFrames) {
  const auto path = movie("a.mp4", "-c:v libx264 -pix_fmt yuv420p", "r=30:d=2");
  const auto all = read_video(path, {.fps = 16});
  VideoReader reader(path, {.fps = 16});

  EXPECT_EQ(reader.info().frames, 32);
  EXPECT_TRUE(reader.read(7, 3).equal(all.slice(0, 7, 10)));
  EXPECT_TRUE(reader.read(2, 4).equal(all.slice(0, 2, 6)));
}

TEST_F(Footage, CutShortSaysHowManyFramesAreMissingOrIsRefused) {
  movie("b.mp4");
  ffmpeg("-i " + (folder_ / "b.mp4") + " -c copy " + (folder_ / "b.mkv") + " -c copy " +
         (folder_ / "b.ts") + " -c copy " + (folder_ / "b.avi") + " -c copy " +
         (folder_ / "b.flv") + " -c:v libvpx " + (folder_ / "b.webm") +
         " -c copy -movflags frag_every_frame+empty_moov+default_base_moof -f mp4 " +
         (folder_ / "fragments.mp4") + " -vf scale=96:64 " + (folder_ / "b.gif"));
  for (const std::string name :
       {"b.mp4", "fragments.mp4", "b.mkv", "b.webm", "b.ts", "b.avi", "b.gif"}) {
    const auto bytes = bytes_of_file(folder_ / name);
    const auto whole = read_all(folder_ / name);
    EXPECT_THAT(whole.warnings, IsEmpty()) << name;
    for (int part = 3; part < 20; part += 2) {
      const auto kept = bytes.size() * static_cast<std::size_t>(part) / 20;
      const auto path = folder_ / ("cut" + name);
      write_bytes(path, bytes.substr(0, kept));
      Read read;
      const auto error = failure_of([&] { read = read_all(path); });
      if (error != "no IoError") {
        EXPECT_THAT(error, HasSubstr("cut" + name));
        continue;
      }
      if (read.frames.equal(whole.frames)) continue;  // an index at the end, not needed
      ASSERT_EQ(read.warnings.size(), 1u) << name << " " << part << "/20";
      const auto counts =
          cat("holds ", read.frames.size(0), " of about ", name == "b.ts" ? "" : "32");
      EXPECT_THAT(read.warnings[0], HasSubstr(counts)) << part << "/20";
    }
  }
}

TEST_F(Footage, DamagedInTheMiddleIsRefusedOrTold) {
  for (const std::string name : {"a.mp4", "a.mkv", "a.ts", "a.avi"}) {
    const auto bytes = bytes_of_file(movie(name, "-c:v libx264 -crf 5 -pix_fmt yuv420p"));
    for (int i = 0; i < 6; ++i) {
      auto damaged = bytes;
      const auto place = bytes.size() * static_cast<std::size_t>(30 + 8 * i) / 100;
      damaged.replace(place, bytes.size() / 6, std::string(bytes.size() / 6, '\0'));
      const auto path = folder_ / ("damaged" + name);
      write_bytes(path, damaged);
      Read read;
      const auto error = failure_of([&] { read = read_all(path); });
      if (error == "no IoError") {
        EXPECT_FALSE(read.warnings.empty()) << name << " " << i;
      }
    }
  }
}

TEST_F(Footage, OfSoundWithACoverIsNoVideo) {
  movie("a.mp4");
  ffmpeg("-i " + (folder_ / "a.mp4") + " -frames:v 1 " + (folder_ / "cover.jpg"));
  ffmpeg("-f lavfi -i sine=440:d=1 " + (folder_ / "a.wav"));
  for (const std::string name : {"song.mp4", "song.mkv"}) {
    if (name == "song.mp4") {
      ffmpeg("-i " + (folder_ / "a.wav") + " -i " + (folder_ / "cover.jpg") +
             " -map 0:a -map 1:v -c:v mjpeg -disposition:v:0 attached_pic " + (folder_ / name));
    } else {
      ffmpeg("-i " + (folder_ / "a.wav") + " -attach " + (folder_ / "cover.jpg") +
             " -metadata:s:t mimetype=image/jpeg " + (folder_ / name));
    }
    EXPECT_THAT(failure_of([&] { read_video(folder_ / name); }),
                HasSubstr("has no video, only sound and a cover picture"))
        << name;
    EXPECT_THAT(no_video_reason(folder_ / name), HasSubstr("only sound and a cover picture"))
        << name;
  }
  ffmpeg("-i " + (folder_ / "a.wav") + " " + (folder_ / "sound.mp4"));
  EXPECT_THAT(no_video_reason(folder_ / "sound.mp4"), HasSubstr("only sound"));
  EXPECT_EQ(no_video_reason(folder_ / "a.mp4"), "");

  // A cover in front of a real video is passed over.
  ffmpeg("-i " + (folder_ / "cover.jpg") + " -i " + (folder_ / "a.mp4") +
         " -map 0:v -map 1:v -c copy -disposition:v:0 attached_pic " + (folder_ / "both.mp4"));
  EXPECT_EQ(read_video(folder_ / "both.mp4").size(0), 32);
}

TEST_F(Footage, WithPixelsThatAreNotSquareIsResizedToSquareOnes) {
  for (const std::string ending : {"mp4", "mkv"}) {
    const auto read =
        read_all(movie("a." + ending, "-vf setsar=4/3 -c:v libx264 -pix_fmt yuv420p"));
    EXPECT_EQ(read.frames.size(3), 128);
    EXPECT_EQ(read.frames.size(2), 64);
    EXPECT_THAT(read.notes, ElementsAre(HasSubstr("4:3 wide; it is resized to 128x64")));
  }
  EXPECT_EQ(VideoReader(folder_ / "a.mp4").info().width, 128);
  // Where the tag changes less than a pixel, nothing is touched.
  EXPECT_THAT(read_all(movie("b.mp4", "-vf setsar=1000/1001 -c:v libx264 -pix_fmt yuv420p")).notes,
              IsEmpty());
}

TEST_F(Footage, ShowsWhiteWhereItIsTransparent) {
  ffmpeg(
      "-f lavfi -i "
      "\"color=red:s=48x32:d=0.5:r=16,format=rgba,geq=r=255:g=0:b=0:a='if(lt(X,24),0,255)'\" "
      "-c:v png " +
      (folder_ / "a.mov") + " -c:v libvpx -pix_fmt yuva420p -auto-alt-ref 0 " +
      (folder_ / "b.webm"));
  for (const std::string name : {"a.mov", "b.webm"}) {
    const auto read = read_all(folder_ / name);
    EXPECT_GE(read.frames.slice(3, 0, 22).min().item<int>(), 250) << name;
    EXPECT_LE(read.frames.select(1, 1).slice(2, 26).max().item<int>(), 5) << name;
    EXPECT_THAT(read.notes, ElementsAre(HasSubstr("shown over white"))) << name;
  }
}

TEST_F(Footage, IsReadByWhatItHoldsWhateverItIsCalled) {
  movie("a.mp4");
  const auto frames = read_video(folder_ / "a.mp4");
  for (const std::string name : {"A.MP4", "b.MKV", "c", "d.jpg"}) {
    std::filesystem::copy_file(folder_ / "a.mp4", folder_ / name);
    EXPECT_TRUE(read_video(folder_ / name).equal(frames)) << name;
  }
}

}  // namespace
}  // namespace svi
