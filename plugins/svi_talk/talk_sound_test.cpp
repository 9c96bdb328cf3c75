#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "speech/features.hpp"
#include "speech/loudness.hpp"
#include "speech/windows.hpp"
#include "support/ffmpeg_program.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/extension.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

/// Writes samples [channels, N] as a wav of 32-bit floats; `how`: what ffmpeg makes of it.
std::string write_sound(const std::string& path, const at::Tensor& samples, std::int64_t rate,
                        const std::string& how = "-c:a pcm_f32le") {
  const auto data = samples.t().to(at::kFloat).contiguous();
  write_file(path + ".raw", {static_cast<const char*>(data.const_data_ptr()), data.nbytes()});
  ffmpeg(cat("-f f32le -ar ", rate, " -ac ", samples.size(0), " -i '", path, ".raw' ", how, " '",
             path, "'"));
  return path;
}

/// Writes samples [channels, N] as a wav of 8 or 16 bits, without the ffmpeg program, whose start
/// takes longer than all the rest.
std::string write_pcm(const std::string& path, const at::Tensor& samples, std::int64_t rate,
                      std::int64_t bits) {
  const auto scaled = samples.t().clamp(-1, 1) * (bits == 8 ? 127 : 32767);
  const auto data =
      (bits == 8 ? (scaled + 128).round().to(at::kByte) : scaled.round().to(at::kShort))
          .contiguous();
  const auto channels = samples.size(0), row = channels * bits / 8;
  const auto bytes = static_cast<std::int64_t>(data.nbytes());
  std::string out;
  const auto put = [&](std::int64_t value, int width) {
    for (int i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i) & 255);
  };
  out += "RIFF";
  put(36 + bytes, 4);
  out += "WAVEfmt ";
  put(16, 4);
  for (const auto& [value, width] : {std::pair<std::int64_t, int>{1, 2},
                                     {channels, 2},
                                     {rate, 4},
                                     {rate * row, 4},
                                     {row, 2},
                                     {bits, 2}})
    put(value, width);
  out += "data";
  put(bytes, 4);
  out.append(static_cast<const char*>(data.const_data_ptr()), data.nbytes());
  write_file(path, out);
  return path;
}

/// What ffmpeg's own meter says, in LUFS with three decimals.
double loudness_of_ffmpeg(const std::string& path, const std::string& scratch) {
  ffmpeg(cat("-i '", path, "' -af ebur128=metadata=1,ametadata=mode=print:key=lavfi.r128.I:file=",
             scratch, " -f null -"));
  const auto text = bytes_of_file(scratch);
  const std::string key = "lavfi.r128.I=";
  return std::stod(text.substr(text.rfind(key) + key.size()));
}

/// Noise whose loudness goes up and down, with a pause: [channels, N].
at::Tensor uneven_noise(std::int64_t channels, std::int64_t rate, double seconds) {
  const auto count = static_cast<std::int64_t>(seconds * static_cast<double>(rate));
  const auto t = at::arange(count, at::kDouble) / static_cast<double>(rate);
  const auto loud = ((t * 1.3).sin().square() * 0.2 + 0.001) * (t.lt(2).logical_or(t.gt(4)));
  return normal({5, Purpose::test, 1, 0}, {channels, count}).clamp(-3, 3) * loud * 0.5;
}

TEST(Loudness, IsWhatFfmpegMeasures) {
  const TemporaryFolder folder;
  for (const auto& [channels, rate] :
       {std::pair<std::int64_t, std::int64_t>{1, 48000}, {2, 48000}, {2, 44100}, {1, 16000}}) {
    const auto samples = uneven_noise(channels, rate, 9);
    const auto path = write_sound(folder / cat(channels, "-", rate, ".wav"), samples, rate);
    const double ours = speech::integrated_loudness(read_sound(path));
    const double tolerance = rate == 48000 ? 0.02 : 0.1;  // where ffmpeg resamples to 48 kHz
    EXPECT_NEAR(ours, loudness_of_ffmpeg(path, folder / "meter.txt"), tolerance) << rate;
  }
}

TEST(Loudness, OfASineOfFullScaleAt997HertzIsMinusThreeLufs) {
  for (const std::int64_t rate : {16000, 44100, 48000, 96000}) {
    const auto t = at::arange(3 * rate, at::kDouble) / static_cast<double>(rate);
    const auto sine = (t * 2 * std::numbers::pi * 997).sin().unsqueeze(0);
    EXPECT_NEAR(speech::integrated_loudness({sine, rate}), -3.01, 0.05) << rate;
    EXPECT_NEAR(speech::integrated_loudness({sine * 0.1, rate}), -23.01, 0.05) << rate;
  }
}

TEST(Loudness, OfSilenceAndOfAMomentIsNoNumber) {
  EXPECT_EQ(speech::integrated_loudness({at::zeros({1, 48000}), 48000}), -INFINITY);
  EXPECT_TRUE(std::isnan(speech::integrated_loudness({at::ones({1, 1000}), 48000})));
}

TEST(SpeechWindows, AreClampedAtBothEnds) {
  const auto rows = at::arange(4, at::kFloat);
  const auto expected = at::tensor({0., 0., 0., 1., 2.,  //
                                    0., 0., 1., 2., 3.,  //
                                    0., 1., 2., 3., 3.,  //
                                    1., 2., 3., 3., 3.},
                                   at::kFloat)
                            .view({4, 5});
  EXPECT_TRUE(at::equal(speech::centred_windows(rows, 5), expected));
  const auto wide = at::randn({7, 2, 3});
  const auto windows = speech::centred_windows(wide, 3);
  EXPECT_EQ(windows.sizes(), (std::vector<std::int64_t>{7, 3, 2, 3}));
  EXPECT_TRUE(at::equal(windows[3][0], wide[2]));
  EXPECT_TRUE(at::equal(windows.select(1, 1), wide));
}

// The rows that a latent frame hears follow each other without a gap, two more on each side.
TEST(SpeechWindows, OfLatentFramesAreTheirFramesAndTwoOnEachSide) {
  for (const std::int64_t stride : {1, 2, 3, 4, 8}) {
    const auto rows = at::arange(100, at::kFloat);
    const auto frames = 5 * stride + 1, begin = std::int64_t{30};
    const auto clip = speech::centred_windows(rows, 5).narrow(0, begin, frames).unsqueeze(0);
    const auto [first, rest] = speech::latent_windows(clip, stride);
    EXPECT_TRUE(at::equal(first[0][0], rows.narrow(0, begin - 2, 5)));
    ASSERT_EQ(rest.sizes(), (std::vector<std::int64_t>{1, 5, stride + 4}));
    for (std::int64_t f = 0; f < 5; ++f)
      EXPECT_TRUE(at::equal(rest[0][f], rows.narrow(0, begin + f * stride - 1, stride + 4)));
  }
}

// wav2vec 2.0 has a row every 320 samples, of 400; stretched to T rows with both ends kept.
TEST(SpeechFeatures, OfTheEncoderLieWithinHalfAFrameOfTheirFrame) {
  for (const double fps : {8.0, 16.0, 25.0, 29.97}) {
    for (std::int64_t frames = 2; frames < 3000; frames += frames < 100 ? 1 : 37) {
      const auto samples = speech::sample_of_frame(frames, fps);
      const auto last = static_cast<double>((samples - 400) / 320);
      for (const auto k : {std::int64_t{0}, frames / 3, frames / 2, frames - 1}) {
        const double row = static_cast<double>(k) * last / static_cast<double>(frames - 1);
        const double seconds = (200 + 320 * row) / 16000;
        EXPECT_LE(std::abs(seconds * fps - (static_cast<double>(k) + 0.5)), 0.5)
            << fps << " " << k << " of " << frames;
      }
    }
  }
}

class TalkSoundTest : public ::testing::Test {
 protected:
  TalkSoundTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::shared_ptr<ModelExtension> listener(const std::string& options = {}) const {
    auto made =
        make_extensions(registry_, Document::parse("[extension.talk]\ntype = svi_talk\nlayers = 1\n"
                                                   "audio_dim = 8\nhidden = 4\nwidth = 4\n"
                                                   "tokens = 2\nstride = 1\n" +
                                                       options,
                                                   "test.ini"))
            .at(0)
            .second;
    made->build("talk", {.dim = 8, .heads = 2, .layers = 1}, 1);
    return made;
  }
  /// What frames hear themselves, the middles of their windows: [T, 8].
  static at::Tensor middles(const MadeTrack& track) {
    return track.values.select(1, 2).select(1, 0);
  }
  std::string refusal(const ModelExtension& talk, const TrackFile& file) const {
    try {
      talk.track_of(part::kAudio, file);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
  Registry registry_;
};

// A click in the middle of a frame is loudest in that frame's own row, at any rate and moment.
TEST_F(TalkSoundTest, EveryFrameHearsItsOwnSoundInTwoHundredFilms) {
  const std::vector<std::int64_t> rates = {8000, 11025, 16000, 22050, 32000, 44100, 48000};
  const std::vector<double> film_rates = {25, 16, 30, 12.5};
  const auto talk = listener();
  const RandomKey key{9, Purpose::test, 0, 0};
  for (std::uint32_t film = 0; film < 200; ++film) {
    const auto rate = rates[film % rates.size()];
    const double fps = film_rates[film % film_rates.size()];
    const auto frames = static_cast<std::int64_t>(20 + uniform_index(key, 60, 3 * film));
    const auto loud = static_cast<std::int64_t>(
        uniform_index(key, static_cast<std::uint64_t>(frames), 3 * film + 1));
    const auto moment = (static_cast<double>(loud) + 0.5) / fps * static_cast<double>(rate);
    auto samples =
        1e-3 * normal({film, Purpose::test, 2, 0},
                      {1 + film % 2, static_cast<std::int64_t>(static_cast<double>(frames) / fps *
                                                               static_cast<double>(rate))});
    samples.narrow(1, static_cast<std::int64_t>(moment) - 20, 40).fill_(0.9);
    const auto path =
        write_pcm(folder_ / cat("click", film, ".wav"), samples, rate, film % 3 == 0 ? 8 : 16);
    const auto track = talk->track_of(part::kAudio, {path, fps, frames, 0});
    ASSERT_EQ(track.values.size(0), frames);
    EXPECT_EQ(middles(track).select(1, 0).argmax().item<std::int64_t>(), loud)
        << path << " " << fps;
  }
}

TEST_F(TalkSoundTest, FormatsOfOneSoundAreHeardAlike) {
  const auto t = at::arange(3 * 48000, at::kDouble) / 48000.0;
  const auto tone = ((t * 2 * std::numbers::pi * 440).sin() * (t * 5).sin().square() * 0.3)
                        .unsqueeze(0)
                        .expand({2, -1});
  const TrackFile film{"", 25, 75, 0};
  const auto of = [&](const std::string& name, const std::string& how) {
    auto file = film;
    file.path = write_sound(folder_ / name, tone, 48000, how);
    return middles(listener()->track_of(part::kAudio, file)).clone();
  };
  const auto plain = of("plain.wav", "-c:a pcm_f32le");
  for (const auto& [name, how] :
       {std::pair("mono16.wav", "-ar 16000 -ac 1"),
        {"stereo.wav", "-ar 44100 -ac 2"},
        {"eight.wav", "-c:a pcm_u8"},
        {"speech.flac", "-ar 44100"},
        {"speech.mp3", "-b:a 192k"},
        {"speech.m4a", "-b:a 192k"},
        {"speech.ogg", "-c:a libvorbis"},
        {"film.mp4", "-f lavfi -i color=size=32x32:rate=25:duration=3 -pix_fmt yuv420p"}}) {
    const auto rows = of(name, how);
    ASSERT_GE(rows.size(0), 75) << name;  // AAC is a little longer
    // Level of the frame; 8 bits add noise to what is quiet.
    const auto difference = (rows.slice(0, 0, 75) - plain).select(1, 0).abs();
    EXPECT_LE(difference.mean().item<double>(), 0.05) << name;  // 1.5 dB
  }
}

TEST_F(TalkSoundTest, LoudnessOfTheFileDoesNotMatter) {
  const auto noise = uneven_noise(1, 16000, 5);
  const auto of = [&](double gain) {
    const auto path = write_sound(folder_ / cat(gain, ".wav"), noise * gain, 16000);
    return middles(listener()->track_of(part::kAudio, {path, 25, 125, 0}));
  };
  EXPECT_LE((of(1) - of(0.3)).abs().max().item<double>(), 1e-3);
}

TEST_F(TalkSoundTest, RefusesOrFillsWhatIsSilentShortOrLong) {
  const auto silent = write_sound(folder_ / "silent.wav", at::zeros({1, 32000}), 16000);
  const auto noise = write_sound(folder_ / "noise.wav", uneven_noise(1, 16000, 1), 16000);
  EXPECT_THAT(refusal(*listener(), {silent, 25, 50, 0}),
              HasSubstr("silent.wav: is silent, no sample of it reaches -60 dB"));
  EXPECT_THAT(refusal(*listener(), {noise, 25, 60, 40}),
              HasSubstr("noise.wav: lasts 1 s, but the film 2.4 s; leave --clips out"));
  EXPECT_THAT(refusal(*listener("longest = 1\n"), {silent, 25, 50, 0}),
              HasSubstr("lasts 2 s, more than [extension.talk] longest = 1 s"));
  EXPECT_THAT(refusal(*listener(), {folder_ / "none.wav", 25, 50, 0}), HasSubstr("no such file"));
  ffmpeg("-f lavfi -i color=size=32x32:rate=25:duration=1 " + folder_ / "mute.mp4");
  EXPECT_THAT(refusal(*listener(), {folder_ / "mute.mp4", 25, 25, 0}),
              HasSubstr("has no sound; give an audio file, or a video with a sound stream"));

  // A sound that reaches into the last clip is followed by silence; with allow, any is.
  const auto filled = middles(listener()->track_of(part::kAudio, {noise, 25, 40, 24}));
  ASSERT_EQ(filled.size(0), 40);
  EXPECT_TRUE(at::equal(filled.slice(0, 25), at::full({15, 8}, -1.0)));
  const auto allow = listener("silence = allow\n");
  EXPECT_EQ(allow->track_of(part::kAudio, {noise, 25, 60, 40}).values.size(0), 60);
  EXPECT_EQ(allow->track_of(part::kAudio, {silent, 25, 50, 0}).values.max().item<double>(), -1);
}

TEST_F(TalkSoundTest, IdentityIsThatOfTheSoundWhateverTheLengthOfTheFilm) {
  const auto a = write_sound(folder_ / "a.wav", uneven_noise(1, 16000, 2), 16000);
  const auto b = write_sound(folder_ / "b.wav", uneven_noise(1, 16000, 2) * 0.5, 16000);
  const auto talk = listener();
  const auto of = [&](const std::string& path, std::int64_t frames) {
    return talk->track_of(part::kAudio, {path, 25, frames, 0}).identity;
  };
  EXPECT_EQ(of(a, 20), of(a, 50));
  EXPECT_NE(of(a, 20), of(b, 20));
  const auto shorter = talk->track_of(part::kAudio, {a, 25, 20, 0}).values;
  const auto longer = talk->track_of(part::kAudio, {a, 25, 50, 0}).values;
  EXPECT_TRUE(at::equal(shorter.slice(0, 0, 20), longer.slice(0, 0, 20)));
}

/// A folder of a small wav2vec 2.0 as transformers saves it; returns its encoder.
Wav2Vec2 write_encoder(const std::string& folder) {
  Wav2Vec2Config config;
  config.conv_dim = {8, 8, 8};
  config.conv_kernel = {10, 8, 4};
  config.conv_stride = {5, 8, 8};
  config.dim = 12;
  config.ffn_dim = 16;
  config.heads = 2;
  config.layers = 2;
  config.position_kernel = 8;
  config.position_groups = 2;
  write_file(folder + "/config.json",
             R"({"conv_dim": [8, 8, 8], "conv_kernel": [10, 8, 4], "conv_stride": [5, 8, 8],
                 "hidden_size": 12, "intermediate_size": 16, "num_attention_heads": 2,
                 "num_hidden_layers": 2, "num_conv_pos_embeddings": 8,
                 "num_conv_pos_embedding_groups": 2})");
  NamedTensors weights;
  std::uint32_t number = 0;
  Wav2Vec2 encoder(config);
  for (const auto& [name, tensor] : encoder.parameters()) {
    const auto value = normal({3, Purpose::test, ++number, 0}, tensor.sizes()) * 0.3;
    weights.emplace_back(name, name.ends_with("weight_g") ? value.abs() + 1 : value);
  }
  save_safetensors(folder + "/model.safetensors", weights);
  encoder.adopt(weights);
  return encoder;
}

TEST_F(TalkSoundTest, HearsByTheEncoderOfAFolder) {
  const auto own = write_encoder(folder_ / "");
  const auto noise = uneven_noise(1, 16000, 2.02);
  const auto path = write_sound(folder_ / "noise.wav", noise, 16000);
  const auto options = "layers = 2\naudio_dim = 12\nencoder = " + (folder_ / "") + "\n";
  const auto talk =
      make_extensions(registry_,
                      Document::parse("[extension.talk]\ntype = svi_talk\n" + options, "test.ini"))
          .at(0)
          .second;
  const auto rows = talk->track_of(part::kAudio, {path, 25, 51, 0}).values.select(1, 2);
  const double gain = std::pow(10, (-23 - speech::integrated_loudness(read_sound(path))) / 20);
  // Silence fills the last frame up, so that rows keep their places: 51 frames of 640 samples.
  const auto filled = at::constant_pad_nd(noise * gain, {0, 51 * 640 - noise.size(1)});
  const auto wanted = own.encode(filled, 51)[0];
  EXPECT_LE((rows - wanted).abs().max().item<double>(), 1e-4);

  EXPECT_THAT(refusal(*listener("encoder = " + (folder_ / "") + "\n"), {path, 25, 51, 0}),
              HasSubstr("gives 2 states of 12 values; these layers hear 1 of 8"));
}

TEST_F(TalkSoundTest, PiecesOfALongSoundAreRowsOfTheirPartsWithTheirNeighbours) {
  const auto encoder = write_encoder(folder_ / "");
  const auto sound = uneven_noise(1, 16000, 4)[0];
  const auto pieces = speech::encoder_states(encoder, sound, 25, 100, 30, 10);
  ASSERT_EQ(pieces.sizes(), (std::vector<std::int64_t>{100, 2, 12}));
  for (const std::int64_t begin : {0, 30, 60, 90}) {
    const auto from = std::max<std::int64_t>(begin - 10, 0),
               to = std::min<std::int64_t>(begin + 40, 100);
    const auto part =
        encoder.encode(sound.slice(0, from * 640, to * 640).unsqueeze(0), to - from)[0];
    const auto end = std::min<std::int64_t>(begin + 30, 100);
    EXPECT_TRUE(at::equal(pieces.slice(0, begin, end), part.slice(0, begin - from, end - from)));
  }
  EXPECT_TRUE(at::equal(speech::encoder_states(encoder, sound, 25, 100, 0, 10),
                        encoder.encode(sound.unsqueeze(0), 100)[0]));
  // A sound of one frame is followed by silence, so that the convolutions have enough.
  EXPECT_EQ(speech::encoder_states(encoder, sound, 100, 1, 0, 10).size(0), 1);
}

}  // namespace
}  // namespace svi
