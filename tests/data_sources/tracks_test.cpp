#include "svi/data/tracks.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

Tracks tracks_of_ten_frames() {
  Tracks tracks;
  tracks.set("pose", at::arange(30, at::kFloat).view({10, 3}));
  tracks.set("audio", at::arange(10, at::kFloat));
  return tracks;
}

std::string config_error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no ConfigError";
}

TEST(Tracks, GiveTheSameFramesOfAll) {
  const auto cut = tracks_of_ten_frames().slice(4, 6);
  EXPECT_EQ(cut.names(), (std::vector<std::string>{"audio", "pose"}));
  EXPECT_TRUE(at::equal(cut["audio"], at::arange(4, 10, at::kFloat)));
  EXPECT_TRUE(at::equal(cut["pose"], at::arange(12, 30, at::kFloat).view({6, 3})));
  EXPECT_FALSE(cut["depth"].defined());
}

TEST(Tracks, SayWhichIsTooShort) {
  const auto tracks = tracks_of_ten_frames();
  EXPECT_THAT(config_error_of([&] { tracks.slice(5, 6); }),
              HasSubstr("track 'audio' has 10 frames, but 11 are needed"));
}

TEST(Tracks, SayWhichIsMissingAndWhatThereIs) {
  const auto tracks = tracks_of_ten_frames();
  EXPECT_EQ(tracks.only({"pose"}, "scene cat").names(), (std::vector<std::string>{"pose"}));
  EXPECT_THAT(config_error_of([&] { tracks.only({"depth"}, "scene cat"); }),
              HasSubstr("scene cat has no track 'depth', which a model extension reads; it has "
                        "audio, pose"));
  EXPECT_THAT(config_error_of([&] { Tracks().only({"depth"}, "x"); }), HasSubstr("it has none"));
}

TEST(Tracks, TellPicturesOf8BitsFromMinusOneToOne) {
  Tracks tracks;
  tracks.set("pose", at::tensor({0, 51, 255}, at::kByte).view({3, 1}));
  const auto told = tracks.slice(0, 3)["pose"];
  EXPECT_TRUE(at::allclose(told, at::tensor({-1.0F, -0.6F, 1.0F}).view({3, 1}), 0, 1e-6));
  EXPECT_EQ(tracks["pose"].scalar_type(), at::kByte);
}

TEST(Tracks, TellWhatStandsAtTheEndToTheLastFramesOfTheFilmAlone) {
  auto tracks = tracks_of_ten_frames();
  tracks.set_end("end", at::ones({3, 2, 2}));
  EXPECT_TRUE(tracks.at_end("end"));
  EXPECT_FALSE(tracks.at_end("pose"));
  EXPECT_TRUE(at::equal(tracks.slice(4, 5, 9)["end"], at::ones({3, 2, 2})));
  for (const auto& before : {tracks.slice(0, 5, 9), tracks.slice(4, 5), tracks.slice(5, 5, 11)})
    EXPECT_TRUE(at::equal(before["end"], at::zeros({3, 2, 2})));
  EXPECT_EQ(tracks.only({"end"}, "x").names(), (std::vector<std::string>{"end"}));
  tracks.only({"end"}, "x").require(1000);  // has no length
}

/// Frame k is k.
class CountingReader final : public TrackReader {
 public:
  std::int64_t frames() const override { return 7; }
  at::Tensor read(std::int64_t first, std::int64_t count) const override {
    ++reads;
    return at::arange(first, first + count, at::kFloat);
  }
  mutable int reads = 0;
};

TEST(Tracks, ReadLongOnesAsTheyAreAskedFor) {
  const auto reader = std::make_shared<CountingReader>();
  Tracks tracks;
  tracks.set("pose", reader);
  tracks.require(7);
  EXPECT_THAT(config_error_of([&] { tracks.require(8); }),
              HasSubstr("track 'pose' has 7 frames, but 8 are needed"));
  EXPECT_EQ(reader->reads, 0);
  EXPECT_TRUE(at::equal(tracks.slice(2, 3)["pose"], at::arange(2, 5, at::kFloat)));
  EXPECT_EQ(reader->reads, 1);
}

// A clip that draws the end of another video again is told the track's first frame there.
TEST(Tracks, HoldTheirFirstFrameBeforeTheFilmBegins) {
  const auto reader = std::make_shared<CountingReader>();
  Tracks tracks;
  tracks.set("pose", reader);
  tracks.set("audio", at::arange(7, at::kFloat).view({7, 1}) + 1);
  const auto cut = tracks.slice(-2, 5);
  EXPECT_TRUE(at::equal(cut["pose"], at::tensor({0.F, 0.F, 0.F, 1.F, 2.F})));
  EXPECT_TRUE(at::equal(cut["audio"].view(-1), at::tensor({1.F, 1.F, 1.F, 2.F, 3.F})));
  EXPECT_THROW(tracks.slice(-5, 5), Error);
}

TEST(Tracks, RefuseWhatIsNoSequence) {
  Tracks tracks;
  EXPECT_THROW(tracks.set_end("end", at::Tensor()), Error);
  EXPECT_THROW(tracks.set("audio", at::zeros({0, 3})), Error);
  EXPECT_THROW(tracks.set("audio", at::zeros({3}, at::kDouble)), Error);
  EXPECT_THROW(tracks.set("audio", at::Tensor()), Error);
}

}  // namespace
}  // namespace svi
