#include "svi/io/sound.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numbers>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/video_join.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/io/video_writer.hpp"

namespace svi {
namespace {

/// A WAV file of 16-bit samples, [channels, N] in [-1, 1].
void write_wav(const std::filesystem::path& path, const at::Tensor& samples, std::int32_t rate) {
  const auto channels = static_cast<std::int16_t>(samples.size(0));
  const auto words = (samples.t() * 32767).round().to(at::kShort).contiguous();
  const auto bytes = static_cast<std::int32_t>(words.numel() * 2);
  std::ofstream out(path, std::ios::binary);
  const auto put = [&](auto value) {
    out.write(reinterpret_cast<const char*>(&value), sizeof value);
  };
  out << "RIFF";
  put(bytes + 36);
  out << "WAVEfmt ";
  put(std::int32_t{16});
  put(std::int16_t{1});
  put(channels);
  put(rate);
  put(static_cast<std::int32_t>(rate * channels * 2));
  put(static_cast<std::int16_t>(channels * 2));
  put(std::int16_t{16});
  out << "data";
  put(bytes);
  out.write(static_cast<const char*>(words.const_data_ptr()), bytes);
}

at::Tensor sine(double hertz, double seconds, std::int64_t rate) {
  const auto time = at::arange(std::llround(seconds * static_cast<double>(rate)), at::kDouble) /
                    static_cast<double>(rate);
  return (time * (2 * std::numbers::pi * hertz)).sin().mul(0.5).to(at::kFloat).unsqueeze(0);
}

/// A click every quarter second, each of another height: what is where can be told.
at::Tensor clicks(double seconds, std::int64_t rate) {
  auto samples = at::zeros({1, std::llround(seconds * static_cast<double>(rate))});
  for (std::int64_t k = 1; k * rate / 4 + 40 < samples.size(1); ++k)
    samples.narrow(1, k * rate / 4, 40).fill_(0.2 + 0.1 * static_cast<double>(k % 5));
  return samples;
}

/// Samples by which b comes after a, where both are most alike.
std::int64_t lag(const at::Tensor& a, const at::Tensor& b, std::int64_t most) {
  double best = -1;
  std::int64_t found = 0;
  const auto length = std::min(a.size(1), b.size(1)) - most;
  for (std::int64_t shift = -most; shift <= most; ++shift) {
    const auto x = a.narrow(1, std::max<std::int64_t>(-shift, 0), length);
    const auto y = b.narrow(1, std::max<std::int64_t>(shift, 0), length);
    const auto alike = (x * y).sum().item<double>();
    if (alike > best) best = alike, found = shift;
  }
  return found;
}

struct SoundTest : testing::Test {
  TemporaryFolder folder;

  std::string wav(const std::string& name, const at::Tensor& samples, std::int32_t rate) const {
    const auto path = folder.path() / name;
    write_wav(path, samples, rate);
    return path.string();
  }
  std::string film(double seconds, const std::optional<Sound>& sound, const char* name) const {
    const auto part = (folder.path() / "part.mp4").string();
    const auto frames = std::llround(seconds * 16);
    write_video(part, at::full({frames, 3, 32, 32}, 90, at::kByte));
    const auto target = (folder.path() / name).string();
    join_videos({part}, target, {}, sound);
    return target;
  }
  std::string refusal(const std::string& path) const {
    try {
      read_sound(path);
    } catch (const IoError& error) {
      return error.what();
    }
    return "accepted";
  }
};

TEST_F(SoundTest, ReadsSamplesAsTheyAre) {
  const auto samples = at::cat({sine(440, 0.5, 44100), sine(1000, 0.5, 44100) * 0.5});
  const auto sound = read_sound(wav("a.wav", samples, 44100));
  EXPECT_EQ(sound.rate, 44100);
  ASSERT_EQ(sound.samples.sizes(), samples.sizes());
  EXPECT_LT((sound.samples - samples).abs().max().item<double>(), 5e-5);  // of 16 bits
  EXPECT_DOUBLE_EQ(sound.seconds(), 0.5);
}

TEST_F(SoundTest, ResamplesToTheSameToneAtTheSameMoment) {
  const auto path = wav("a.wav", sine(440, 1, 44100), 44100);
  const auto sound = read_sound(path, {.rate = 16000, .channels = 1});
  const auto wanted = sine(440, 1, 16000);
  EXPECT_NEAR(static_cast<double>(sound.samples.size(1)), 16000, 2);
  const auto length = std::min(sound.samples.size(1), wanted.size(1)) - 400;
  const auto difference = (sound.samples - wanted.narrow(1, 0, sound.samples.size(1)))
                              .narrow(1, 200, length)
                              .abs()
                              .max()
                              .item<double>();
  EXPECT_LT(difference, 2e-3);
}

TEST_F(SoundTest, MixesTwoChannelsToTheirMeanAndOneToTwo) {
  const auto left = sine(300, 0.2, 16000), right = sine(700, 0.2, 16000);
  const auto path = wav("a.wav", at::cat({left, right}), 16000);
  const auto mono = read_sound(path, {.channels = 1}).samples;
  EXPECT_LT((mono - (left + right) / 2).abs().max().item<double>(), 1e-4);
  const auto both = read_sound(wav("b.wav", left, 16000), {.channels = 2}).samples;
  ASSERT_EQ(both.size(0), 2);
  EXPECT_TRUE(at::equal(both[0], both[1]));
}

TEST_F(SoundTest, IsInStepWithTheFilmThatHoldsIt) {
  for (const std::int64_t rate : {16000, 44100, 48000}) {
    const auto samples = clicks(3, rate);
    const auto path = film(3, Sound{samples, rate}, "film.mp4");
    const auto heard = read_sound(path);
    EXPECT_EQ(heard.rate, rate);
    EXPECT_NEAR(heard.seconds(), 3, 0.03);
    EXPECT_LE(std::abs(lag(samples, heard.samples, 200)), 1) << rate;
    VideoReader video(path);
    EXPECT_EQ(video.info().frames, 48);
  }
}

TEST_F(SoundTest, IsCutAtTheFilmsEndAndSilentWhereItIsShorter) {
  const auto longer = read_sound(film(1, Sound{clicks(3, 16000), 16000}, "a.mp4"));
  EXPECT_NEAR(longer.seconds(), 1, 0.07);  // AAC has whole frames of 1,024 samples
  const auto shorter = film(3, Sound{clicks(1, 16000), 16000}, "b.mp4");
  EXPECT_NEAR(read_sound(shorter).seconds(), 1, 0.07);
  EXPECT_EQ(VideoReader(shorter).info().frames, 48);
}

TEST_F(SoundTest, GivesEqualBytesTwice) {
  const auto bytes = [](const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const Sound sound{clicks(1, 16000), 16000};
  EXPECT_EQ(bytes(film(1, sound, "a.mp4")), bytes(film(1, sound, "b.mp4")));
}

TEST_F(SoundTest, RefusesWhatIsNoSound) {
  using testing::HasSubstr;
  const auto file = [&](const char* name, const std::string& text) {
    std::ofstream(folder.path() / name) << text;
    return (folder.path() / name).string();
  };
  EXPECT_THAT(refusal((folder.path() / "none.wav").string()), HasSubstr("no such file"));
  EXPECT_THAT(refusal(file("empty.wav", "")), HasSubstr("is empty"));
  EXPECT_THAT(refusal(file("text.wav", "not a sound at all, only some words")),
              HasSubstr("cannot be read as sound"));
  EXPECT_THAT(refusal(film(1, {}, "silent.mp4")), HasSubstr("has no sound"));
  EXPECT_THAT(refusal(file("list.m3u8", "#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")),
              HasSubstr("cannot be read as sound"));
  EXPECT_THAT(refusal(wav("none.wav", at::zeros({1, 0}), 16000)), HasSubstr("is empty"));
  for (const std::int32_t rate : {999, 768'001, 121'187'089}) {
    EXPECT_THAT(refusal(wav("odd.wav", at::zeros({2, 400}), rate)),
                HasSubstr(std::to_string(rate) + " samples per second"));
  }
}

}  // namespace
}  // namespace svi
