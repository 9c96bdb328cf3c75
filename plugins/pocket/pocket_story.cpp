#include "pocket/pocket_story.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

#include "pocket/pocket_draws.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

/// Gives the disc or a band a colour that none of the four has.
void recolour(PocketScene& scene, double reach, PocketDraws& draws) {
  auto& prompt = scene.prompt;
  const std::array<int*, 4> parts = {&prompt.bands[0], &prompt.bands[1], &prompt.bands[2],
                                     &prompt.disc};
  std::vector<int> unused;
  for (int colour = 0; colour < kPocketColours; ++colour) {
    const auto shows = [&](const int* part) { return *part == colour; };
    if (std::none_of(parts.begin(), parts.end(), shows)) unused.push_back(colour);
  }
  const auto part = static_cast<std::size_t>(draws.below(4));
  *parts[part] = unused[static_cast<std::size_t>(draws.below(static_cast<int>(unused.size())))];
  auto& shade = part < 3 ? scene.band_shades[part] : scene.disc_shade;
  shade = pocket_jittered(*parts[part], reach, draws);
}

}  // namespace

PocketStory::PocketStory(const PocketScene& start, std::int64_t clips, std::int64_t clip_frames,
                         double reach, const RandomKey& key)
    : step_(std::max<std::int64_t>(1, clip_frames - 1)), scenes_{start} {
  SVI_CHECK(clips >= 1, "a storyline of ", clips, " clips");
  PocketDraws draws(key);
  for (std::int64_t clip = 1; clip < clips; ++clip) {
    auto scene = scenes_.back();
    if (draws.below(2) == 0) {
      const auto seam = clip * step_;
      const auto x = scene.disc_x_at(seam);
      scene.prompt.rightward = !scene.prompt.rightward;
      const auto moved = scene.speed * static_cast<double>(seam);
      scene.disc_x = scene.prompt.rightward ? x - moved : x + moved;
    } else {
      recolour(scene, reach, draws);
    }
    scenes_.push_back(std::move(scene));
  }
}

std::vector<std::string> PocketStory::prompts() const {
  std::vector<std::string> texts;
  for (const auto& scene : scenes_) texts.push_back(scene.prompt.text());
  return texts;
}

at::Tensor PocketStory::render(std::int64_t first, std::int64_t count, std::int64_t height,
                               std::int64_t width) const {
  std::vector<at::Tensor> parts;  // [3, frames of one clip, H, W]
  const auto last_clip = static_cast<std::int64_t>(scenes_.size()) - 1;
  for (auto frame = first; frame < first + count;) {
    const auto clip = std::min(frame == 0 ? 0 : (frame - 1) / step_, last_clip);
    auto end = first + count;
    if (clip < last_clip) end = std::min(end, (clip + 1) * step_ + 1);
    parts.push_back(
        scenes_[static_cast<std::size_t>(clip)].render(frame, end - frame, height, width));
    frame = end;
  }
  return at::cat(parts, 1);
}

}  // namespace svi
