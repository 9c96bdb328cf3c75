#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "metric/plugin_metrics.hpp"
#include "metric/recording_sink.hpp"
#include "support/hashed_weights.hpp"
#include "support/picture_files.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/io/video_reader.hpp"
#include "vision/network_shapes.hpp"

namespace svi {
namespace {

using ::testing::ElementsAre;
using testing::hashed;
using ::testing::HasSubstr;

const std::string kGolden = SVI_SOURCE_DIR "/tests/data/golden/";

/// What make_vbench_fixtures.py computed.
at::Tensor answer(const std::string& name) {
  static const auto kAnswers =
      SafetensorsFile::open(SVI_SOURCE_DIR "/tests/data/vision/vbench.safetensors");
  return kAnswers.load(name).to(at::kDouble);
}

/// The film of make_vbench_fixtures.py: [3, T, H, W] in [0, 1], from levels.
at::Tensor some_film(std::int64_t frames, std::int64_t height, std::int64_t width) {
  const auto noise = hashed("noise", {3, frames, height, width});
  const auto shades = hashed("shades", {3, frames, 1, 1});
  return (127.5 + 60 * noise + 60 * shades).round() / 255;
}

/// A picture [3, H, W] of bytes as a BMP file.
std::string bmp_of(const at::Tensor& picture) {
  const auto H = picture.size(1), W = picture.size(2), row = (3 * W + 3) / 4 * 4;
  const auto n = [](std::int64_t value, int size) {
    return bytes_of_number(static_cast<std::uint64_t>(value), size, false);
  };
  auto bytes = "BM" + n(54 + row * H, 4) + n(0, 4) + n(54, 4) + n(40, 4) + n(W, 4) + n(H, 4) +
               n(1, 2) + n(24, 2) + std::string(24, '\0');
  const auto rows = picture.flip({0, 1}).permute({1, 2, 0}).contiguous();  // from below, B G R
  for (std::int64_t y = 0; y < H; ++y) {
    bytes.append(reinterpret_cast<const char*>(rows[y].const_data_ptr<std::uint8_t>()),
                 static_cast<std::size_t>(3 * W));
    bytes.append(static_cast<std::size_t>(row - 3 * W), '\0');
  }
  return bytes;
}

class VbenchTest : public PluginMetrics {
 protected:
  VbenchTest() : PluginMetrics(PLUGIN_FILE) {}

  /// A file of hashed weights; values are hashed by `hash` + name.
  std::string save(const std::string& file, const testing::Shapes& shapes,
                   const std::string& hash = "") {
    NamedTensors tensors;
    for (const auto& [name, sizes] : shapes)
      tensors.emplace_back(name, testing::hashed_weight(hash + name, sizes));
    const auto path = folder_ / (file + ".safetensors");
    save_safetensors(path, tensors);
    return path;
  }
  std::string save_dino() { return save("dino", testing::dino_shapes(64, 1, 16, 14)); }
  std::string save_clip() { return save("clip", testing::clip_shapes(64, 1, 32, 7, 768)); }
};

/// Values per frame of all clips in a row.
std::vector<double> in_a_row(const RecordingSink& sink, const std::string& name) {
  std::vector<double> values;
  for (const auto& clip : sink.per_frame.at(name))
    values.insert(values.end(), clip.begin(), clip.end());
  return values;
}

void expect_frames(const RecordingSink& seen, const std::string& name, const at::Tensor& wanted,
                   std::size_t undefined, double tolerance) {
  const auto values = in_a_row(seen, name);
  ASSERT_EQ(values.size(), undefined + static_cast<std::size_t>(wanted.size(0)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i < undefined)
      EXPECT_TRUE(std::isnan(values[i])) << i;
    else
      EXPECT_NEAR(values[i], wanted[static_cast<std::int64_t>(i - undefined)].item<double>(),
                  tolerance)
          << i;
  }
  ASSERT_EQ(seen.films.at(name).size(), 1u);
  EXPECT_NEAR(seen.films.at(name)[0], wanted.mean().item<double>(), tolerance);
}

TEST_F(VbenchTest, SubjectConsistencyIsThatOfDinoOnWholeFrames) {
  const auto metric = ready("subject_consistency", "file = " + save_dino() + "\n");
  const auto seen = measure(*metric, some_film(20, 36, 52).slice(1, 0, 7), 3);
  expect_frames(seen, "subject_consistency", answer("subject_consistency"), 1, 1e-5);
  const auto wanted = answer("subject_consistency");
  EXPECT_NEAR(seen.clips.at("subject_consistency").at(0),
              wanted.slice(0, 0, 2).mean().item<double>(), 1e-5);
}

TEST_F(VbenchTest, BackgroundConsistencyIsThatOfClipOnTheMiddle) {
  const auto metric = ready("background_consistency", "file = " + save_clip() + "\n");
  const auto seen = measure(*metric, some_film(20, 36, 52).slice(1, 0, 7), 4);
  expect_frames(seen, "background_consistency", answer("background_consistency"), 1, 1e-5);
}

TEST_F(VbenchTest, AestheticQualityIsLaionsHeadOnClip) {
  const auto metric = ready("aesthetic_quality", cat("file = ", save_clip(), "\nhead = ", kGolden,
                                                     "sa_0_4_vit_l_14_linear.pth\n"));
  const auto seen = measure(*metric, some_film(20, 36, 52).slice(1, 0, 7), 2);
  expect_frames(seen, "aesthetic_quality", answer("aesthetic_quality"), 0, 1e-5);
}

TEST_F(VbenchTest, TheOfficialAestheticHeadIsTheOneAskedFor) {
  auto need = make("aesthetic_quality", "")->needs().at(1);
  need.given = kGolden + "sa_0_4_vit_l_14_linear.pth";
  EXPECT_EQ(locate(need, "").problem, "");
}

TEST_F(VbenchTest, ImagingQualityIsMusiqsOnFramesOfTheRightSize) {
  const auto file = save("musiq", testing::musiq_shapes(64, 1, 96));
  const auto with = [&](const std::string& size) {
    return ready("imaging_quality", cat("file = ", file, "\nsize = ", size, "\n"));
  };
  for (const auto* size : {"longer", "none"}) {
    const auto seen = measure(*with(size), some_film(2, 120, 561), 1);
    expect_frames(seen, "imaging_quality", answer(cat("imaging_quality.", size)), 0, 1e-5);
  }
  for (const auto* size : {"shorter", "shorter_centercrop"}) {
    const auto seen = measure(*with(size), some_film(1, 530, 540), 1);
    expect_frames(seen, "imaging_quality", answer(cat("imaging_quality.", size)), 0, 1e-5);
  }
}

TEST_F(VbenchTest, TemporalFlickeringHasThePublishedValueOfAFilm) {
  const auto metric = make("temporal_flickering", "");
  const auto film = read_video(kGolden + "ltx2.mp4", {.exact_c_path = true});  // [T, 3, H, W]
  RecordingSink sink(*metric);
  const auto session = metric->open();
  const at::Tensor no_truth;
  for (std::int64_t first = 0; first < film.size(0); first += 17) {
    const auto clip = film.slice(0, first, std::min(first + 17, film.size(0)))
                          .to(at::kFloat)
                          .div(255)
                          .transpose(0, 1);
    session->add({first / 17, first, clip, no_truth, "", 24}, sink);
  }
  session->finish({8, 120, 24}, sink);
  // Upstream adds its means in fp32, this metric in fp64.
  EXPECT_NEAR(sink.films.at("temporal_flickering").at(0), 0.979451680650898, 1e-8);
}

TEST_F(VbenchTest, TheImageOfAFilmIsTheOneGivenOrTheFirstFrame) {
  const auto dino = save_dino();
  const auto picture = (some_film(1, 90, 70).select(1, 0) * 255).round().to(at::kByte);
  const auto image = folder_ / "image.bmp";
  write_file(image, bmp_of(picture));
  const auto film = some_film(20, 36, 52).slice(1, 0, 5);
  const auto of = [&](const std::string& options, const at::Tensor& truth) {
    const auto metric = ready("i2v_subject", cat("file = ", dino, "\n", options));
    return measure(*metric, film, 2, truth).films.at("i2v_subject").at(0);
  };
  const auto given = answer("i2v_subject.image").item<double>();
  const auto first = answer("i2v_subject.first").item<double>();
  EXPECT_NEAR(of(cat("image = ", image, "\n"), {}), given, 1e-5);
  EXPECT_NEAR(of("", {}), first, 1e-5);
  EXPECT_NEAR(of("", film), first, 1e-5);
  const auto other = some_film(20, 36, 52).slice(1, 10, 15);
  EXPECT_GT(std::abs(of("", other) - first), 1e-3);
}

TEST_F(VbenchTest, LongFilmsAreCutIntoClipsOfWhichTheLastOverlaps) {
  const auto dino = save_dino(), dinov2 = save("dinov2", testing::dino_shapes(64, 1, 14, 16, true));
  const auto metric = ready("long_subject_consistency",
                            cat("dino = ", dino, "\ndinov2 = ", dinov2, "\nseconds = 1\n"));
  const auto wanted = answer("long_subject");  // fused, in clips, clip to clip, clips
  for (const std::int64_t cut : {20, 3}) {     // at 8 frames a second
    const auto seen = measure(*metric, some_film(20, 36, 52), cut);
    EXPECT_NEAR(seen.films.at("long_subject_consistency").at(0), wanted[0].item<double>(), 1e-5);
    EXPECT_NEAR(seen.films.at("long_subject_in_clips").at(0), wanted[1].item<double>(), 1e-5);
    EXPECT_NEAR(seen.films.at("long_subject_clip_to_clip").at(0), wanted[2].item<double>(), 1e-5);
    const auto row = seen.shown.at("long_subject_consistency").at(0);
    EXPECT_EQ(row[0][1].item<double>(), 3);
  }
  const auto brief = measure(*metric, some_film(20, 36, 52).slice(1, 0, 7), 4);
  EXPECT_NEAR(brief.films.at("long_subject_consistency").at(0),
              answer("long_subject.short")[0].item<double>(), 1e-5);
  EXPECT_EQ(brief.films.count("long_subject_clip_to_clip"), 0u);
}

/// Two scenes of 20 and 15 frames that have nothing in common.
at::Tensor two_scenes() {
  const auto picture = some_film(1, 36, 52);  // seen for a scene, with a little noise
  const auto still = at::cat({(picture * 0.4).expand({3, 20, 36, 52}),
                              (1 - picture.flip({0, 3}) * 0.4).expand({3, 15, 36, 52})},
                             1);
  return (still * 255 + 3 * hashed("a little", {3, 35, 36, 52})).round().clamp(0, 255) / 255;
}

TEST_F(VbenchTest, ADimensionOfALongFilmIsTheMeanOverItsClipsEachAsAFilm) {
  const auto film = two_scenes();
  const auto brief = make("temporal_flickering");
  const auto mean = [&](const std::vector<std::pair<std::int64_t, std::int64_t>>& clips) {
    double sum = 0;
    for (const auto& [first, frames] : clips)
      sum += measure(*brief, film.narrow(1, first, frames), frames)
                 .films.at("temporal_flickering")
                 .at(0);
    return sum / static_cast<double>(clips.size());
  };
  const auto seen = [&](const std::string& options, std::int64_t length) {
    const auto metric = make("long_temporal_flickering", "seconds = 1\n" + options);
    const auto sink = measure(*metric, film, length);
    const auto row = sink.shown.at("long_temporal_flickering").at(0);
    EXPECT_NEAR(metric->of_set(0, row, {}), sink.films.at("long_temporal_flickering").at(0), 1e-15);
    return sink.films.at("long_temporal_flickering").at(0);
  };
  const auto whole = mean({{0, 8}, {8, 8}, {16, 8}, {24, 8}, {27, 8}});
  const auto scenes = mean({{0, 8}, {8, 8}, {12, 8}, {20, 8}, {27, 8}});
  ASSERT_GT(std::abs(whole - scenes), 1e-3);
  for (const std::int64_t length : {35, 6}) {
    EXPECT_NEAR(seen("", length), whole, 1e-6);
    EXPECT_NEAR(seen("scenes = yes\n", length), scenes, 1e-6);
    // Scenes must be longer than the second one is here: one film again.
    EXPECT_NEAR(seen("scenes = yes\nscene_frames = 21\n", length), whole, 1e-6);
  }
}

TEST_F(VbenchTest, ALongFilmIsComparedWithinItsScenesOnly) {
  const auto dino = save_dino(), dinov2 = save("dinov2", testing::dino_shapes(64, 1, 14, 16, true));
  const auto files = cat("dino = ", dino, "\ndinov2 = ", dinov2, "\nseconds = 1\n");
  const std::string name = "long_subject_consistency";
  const auto film = two_scenes();
  const auto metric = ready(name, files + "scenes = yes\n"), plain = ready(name, files);
  const auto seen = measure(*metric, film, 9);
  const auto first = measure(*plain, film.narrow(1, 0, 20), 9);
  const auto second = measure(*plain, film.narrow(1, 20, 15), 9);
  const auto mean = [&](const char* quantity, double a, double b) {  // a and b are weights
    return (a * first.films.at(quantity).at(0) + b * second.films.at(quantity).at(0)) / (a + b);
  };
  EXPECT_NEAR(seen.films.at(name).at(0), mean(name.c_str(), 3, 2), 1e-6);
  EXPECT_NEAR(seen.films.at("long_subject_in_clips").at(0), mean("long_subject_in_clips", 3, 2),
              1e-6);
  EXPECT_NEAR(seen.films.at("long_subject_clip_to_clip").at(0),
              mean("long_subject_clip_to_clip", 2, 1), 1e-6);
  EXPECT_GT(std::abs(measure(*plain, film, 9).films.at(name).at(0) - seen.films.at(name).at(0)),
            1e-4);
}

TEST_F(VbenchTest, DreamSimSeesThatAFrozenFilmKeepsItsBackground) {
  const auto dino = save("dino", testing::dino_shapes(64, 1, 8, 3), "dino.");
  const auto clip = save("dreamsim_clip", testing::dreamsim_clip_shapes(64, 1, 8, 3, 32), "clip.");
  const auto open = save("open", testing::dreamsim_clip_shapes(64, 1, 8, 3, 32), "open.");
  const auto lora = folder_ / "lora.safetensors", settings = folder_ / "adapter_config.json";
  save_safetensors(lora, testing::dreamsim_adapter(64, 1, 4));
  write_file(settings, R"({"lora_alpha": 2, "r": 4})");
  const auto files = cat("dino = ", dino, "\nclip = ", clip, "\nopen_clip = ", open,
                         "\nlora = ", lora, "\nlora_config = ", settings, "\n");
  const auto metric = ready("i2v_background", files);
  const auto film = some_film(20, 36, 52);
  const auto frozen = film.slice(1, 0, 1).expand({3, 5, 36, 52});
  EXPECT_NEAR(measure(*metric, frozen, 2).films.at("i2v_background").at(0), 1, 1e-5);
  EXPECT_LT(measure(*metric, film, 7).films.at("i2v_background").at(0), 0.99);
  const auto far = ready("long_background_consistency",
                         cat(files, "clip_b32 = ", save_clip(), "\nseconds = 1\n"));
  const auto whole = measure(*far, film, 20).films, parts = measure(*far, film, 6).films;
  for (const auto* name : {"long_background_consistency", "long_background_clip_to_clip"})
    EXPECT_NEAR(whole.at(name).at(0), parts.at(name).at(0), 1e-6) << name;
  EXPECT_EQ(store_.size(),
            3u);  // DreamSim, its frames, CLIP with its frames
}

TEST_F(VbenchTest, DoesNotDependOnHowAFilmIsCutIntoClips) {
  const auto dino = save_dino();
  for (const auto* name : {"subject_consistency", "i2v_subject"}) {
    const auto metric = ready(name, "file = " + dino + "\n");
    const auto film = some_film(20, 36, 52).slice(1, 0, 7);
    EXPECT_NEAR(measure(*metric, film, 7).films.at(name).at(0),
                measure(*metric, film, 2).films.at(name).at(0), 1e-6)
        << name;
  }
}

TEST_F(VbenchTest, LongRangeCoherenceIsTheMeanCosineOfFramesSoFarApart) {
  const auto dino = save_dino();
  const auto metric = ready("long_range_coherence", "file = " + dino + "\nlags = 1, 2, 5\n");
  const auto all = some_film(20, 36, 52);
  const auto film = 0.9 * all.narrow(1, 0, 1) + 0.1 * all.narrow(1, 0, 3);  // cosines above 0
  const auto seen = measure(*metric, film, 2);
  const auto near = seen.films.at("coherence_at_1").at(0);  // (c01 + c12) / 2
  const auto far = seen.films.at("coherence_at_2").at(0);   // c02
  // The consistency of frames 1 and 2 is made of the same cosines: c01 and (c12 + c02) / 2.
  const auto same = measure(*ready("subject_consistency", "file = " + dino + "\n"), film, 3);
  const auto consistency = in_a_row(same, "subject_consistency");
  EXPECT_NEAR(2 * near + far, consistency[1] + 2 * consistency[2], 1e-6);
  EXPECT_GT(far, 0.1);
  EXPECT_NE(near, far);
  EXPECT_EQ(seen.films.count("coherence_at_5"), 0u);  // no two frames are so far apart
  EXPECT_DOUBLE_EQ(seen.films.at("long_range_coherence").at(0), (near + far) / 2);
  EXPECT_DOUBLE_EQ(metric->of_set(0, seen.shown.at("long_range_coherence").at(0), {}),
                   (near + far) / 2);
}

TEST_F(VbenchTest, LongRangeCoherenceKeepsFramesOverClips) {
  const auto metric = ready("long_range_coherence", "file = " + save_dino() + "\nlags = 2, 5\n");
  const auto film = some_film(20, 36, 52).slice(1, 0, 8);
  for (const auto* name : {"coherence_at_2", "coherence_at_5"}) {
    EXPECT_NEAR(measure(*metric, film, 8).films.at(name).at(0),
                measure(*metric, film, 1).films.at(name).at(0), 1e-6);
  }
  const auto still = film.narrow(1, 0, 1).expand({3, 8, 36, 52});
  EXPECT_NEAR(measure(*metric, still, 3).films.at("coherence_at_5").at(0), 1, 1e-6);
  EXPECT_THROW(make("long_range_coherence", "lags = 5, 2\n"), ConfigError);
  EXPECT_THROW(make("long_range_coherence", "lags = 2, 2\n"), ConfigError);
}

TEST_F(VbenchTest, OneFrameHasNoConsistencyAndAFrozenFilmAllOfIt) {
  const auto dino = save_dino();
  for (const auto* name : {"subject_consistency", "i2v_subject"}) {
    const auto metric = ready(name, "file = " + dino + "\n");
    const auto frame = some_film(1, 36, 52);
    EXPECT_EQ(measure(*metric, frame, 1).films.count(name), 0u) << name;
    EXPECT_NEAR(measure(*metric, frame.expand({3, 4, 36, 52}), 2).films.at(name).at(0), 1, 1e-6);
  }
}

TEST_F(VbenchTest, SetsAreWhatUpstreamMakesOfADimension) {
  const auto rows = at::tensor({1.5, 2.0, 0.4, 1.0}, at::kDouble).view({2, 2});  // sum, count
  for (const auto* name : {"subject_consistency", "background_consistency"})
    EXPECT_DOUBLE_EQ(make(name)->of_set(0, rows, {}), 1.9 / 3) << name;
  for (const auto* name : {"aesthetic_quality", "imaging_quality", "temporal_flickering"})
    EXPECT_DOUBLE_EQ(make(name)->of_set(0, rows, {}), (0.75 + 0.4) / 2) << name;
  const std::string far = "long_subject_consistency";
  EXPECT_DOUBLE_EQ(make(far)->of_set(0, rows, {}), 1.9 / 3);
  for (const auto* name :
       {"long_aesthetic_quality", "long_imaging_quality", "long_temporal_flickering",
        "long_motion_smoothness", "long_dynamic_degree", "long_static_flicker",
        "long_overall_consistency"}) {
    EXPECT_DOUBLE_EQ(make(name)->of_set(0, rows, {}), 1.9 / 3) << name;
    EXPECT_EQ(make(name)->quantities().at(0).name, name);
  }
  EXPECT_DOUBLE_EQ(make(far, "set = films\n")->of_set(0, rows, {}), (0.75 + 0.4) / 2);
  EXPECT_TRUE(std::isnan(make(far)->of_set(0, at::empty({0, 2}, at::kDouble), {})));
}

TEST_F(VbenchTest, SharesOneNetworkBetweenMetricsOnTheSameFile) {
  const auto dino = save_dino();
  const auto a = ready("subject_consistency", "file = " + dino + "\n");
  const auto b = ready("i2v_subject", "file = " + dino + "\n");
  EXPECT_EQ(store_.size(), 3u);  // the network, and two preparations of frames for it
}

TEST_F(VbenchTest, SaysWhichFilesAreMissing) {
  std::vector<std::string> files;
  for (const auto* name : {"subject_consistency", "background_consistency", "aesthetic_quality",
                           "imaging_quality", "long_subject_consistency"}) {
    for (const auto& need : make(name)->needs()) {
      const auto found = locate(need, folder_.path());
      EXPECT_EQ(found.problem, "does not exist");
      EXPECT_THAT(missing_text(need, found, cat("metric.", name)),
                  HasSubstr("; get it from https"));
      files.push_back(need.file);
    }
  }
  EXPECT_THAT(files, ElementsAre("dino_vitbase16_pretrain.pth", "ViT-B-32.pt", "ViT-L-14.pt",
                                 "sa_0_4_vit_l_14_linear.pth", "musiq_spaq_ckpt-358bb6af.pth",
                                 "dino_vitbase16_pretrain.pth", "dinov2_vitb14_pretrain.pth"));
}

TEST_F(VbenchTest, AnImageThatIsNotThereIsMissingLikeAFileOfWeights) {
  for (const auto* name : {"i2v_subject", "i2v_background"}) {
    const auto need = make(name, "image = nowhere.png\n")->needs().back();
    EXPECT_EQ(locate(need, folder_.path()).path, "nowhere.png") << name;
    EXPECT_EQ(locate(need, folder_.path()).problem, "does not exist") << name;
  }
}

TEST_F(VbenchTest, RefusesAFileOfAnotherNetworkByItsName) {
  const auto clip = save_clip();
  try {
    ready("subject_consistency", "file = " + clip + "\n");
    FAIL() << "another network was taken";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("clip.safetensors: cls_token is missing"));
  }
  // The official file's hash is not known, so its sizes are looked at.
  std::filesystem::rename(save_dino(), folder_ / "dino_vitbase16_pretrain.pth");
  try {
    ready("subject_consistency", "");
    FAIL() << "a smaller network was taken";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("64 wide, 1 deep, with patches of 16; wanted is one of "
                                        "768, 12, 16"));
  }
}

}  // namespace
}  // namespace svi
