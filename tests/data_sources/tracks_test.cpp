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

TEST(Tracks, RefuseWhatIsNoSequence) {
  Tracks tracks;
  EXPECT_THROW(tracks.set("audio", at::zeros({0, 3})), Error);
  EXPECT_THROW(tracks.set("audio", at::zeros({3}, at::kDouble)), Error);
  EXPECT_THROW(tracks.set("audio", at::Tensor()), Error);
}

}  // namespace
}  // namespace svi
