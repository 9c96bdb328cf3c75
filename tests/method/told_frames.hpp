#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "method/tiny_models.hpp"
#include "svi/core/check.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/method/rollout.hpp"
#include "svi/sampler/euler.hpp"

namespace svi::test {

/// A track that holds its own frame numbers, and how a model's part tells them back.
struct NumberedTrack {
  std::string_view part;
  std::function<at::Tensor(std::int64_t frames)> values;        // [frames, ...]
  std::function<at::Tensor(const at::Tensor& told)> frames_of;  // [B, T, ...] to [T]
  double tolerance = 0;                                         // of a frame number
};

/// Leaves the noise as it is, so that every frame is another; remembers what it was told.
class Remembering final : public VelocityModel {
 public:
  explicit Remembering(const NumberedTrack& track) : track_(track) {}
  mutable std::vector<at::Tensor> told;  // [T] of each clip
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                      const Condition& condition) const override {
    told.push_back(track_.frames_of(condition[track_.part]));
    return at::zeros_like(noisy);
  }

 private:
  const NumberedTrack& track_;
};

/// Frame k of a film is told frame k of its track: over every seam, with any overlap, whichever
/// clip gives way. `method` makes the method with these options.
inline void expect_frame_k_is_told_k(
    const std::function<std::unique_ptr<Method>(const std::string& options)>& method,
    const NumberedTrack& track, std::int64_t clips) {
  const auto vae = tiny_vae();
  const EulerSampler sampler({.steps = 1, .shift = 1});
  const NoGuidance unguided;
  const auto no_text = [](const std::vector<std::string>& prompts) {
    return at::zeros({static_cast<std::int64_t>(prompts.size()), 2, 4});
  };
  constexpr std::int64_t kFrames = 9;
  for (const std::int64_t m : {1, 3, 5}) {
    for (const auto* stitch : {"drop_tail", "drop_head"}) {
      const auto made = method(cat("motion_frames = ", m, "\nstitch = ", stitch, "\n"));
      const Remembering model(track);
      const Studio studio{model,
                          vae,
                          no_text,
                          *made,
                          sampler,
                          unguided,
                          {.clips = clips},
                          {kFrames, 16, 16},
                          {},
                          {std::string(track.part)}};
      const auto frames = made->frames({kFrames, 16, 16}, clips);
      Tracks tracks;
      tracks.set(std::string(track.part), track.values(frames));
      const std::vector<Scene> scenes = {{0, "scene", at::zeros({3, 16, 16}), {"one"}, tracks}};
      std::int64_t film = 0;
      roll_out(studio, scenes, [&](const RolledClip& clip) {
        EXPECT_EQ(clip.first_frame, film);
        const auto& told = model.told.at(static_cast<std::size_t>(clip.clip));
        ASSERT_EQ(told.size(0), kFrames);
        std::int64_t skipped = 0;  // the first frame of the clip that the film shows
        while (!at::equal(clip.video.select(2, skipped), clip.frames.select(2, 0))) ++skipped;
        for (std::int64_t t = 0; t < clip.frames.size(2); ++t, ++film) {
          EXPECT_NEAR(told[skipped + t].item<double>(), static_cast<double>(film), track.tolerance)
              << m << stitch;
        }
      });
      EXPECT_EQ(film, frames);
    }
  }
}

}  // namespace svi::test
