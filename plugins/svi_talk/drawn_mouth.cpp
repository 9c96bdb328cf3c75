#include "drawn_mouth.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "face_shape.hpp"
#include "svi/core/check.hpp"

namespace svi::face {
namespace {

// Red of the reddest ground and of the palest skin, in [0, 1].
constexpr double kGroundRed = 0.5, kSkinRed = 0.75;

/// Pixels whose centres lie in a box around the head's centre, in shares of its side: [H, W].
at::Tensor box_of_head(const Place& place, double top, double bottom, double half_width,
                       std::int64_t height, std::int64_t width) {
  const auto down = ((at::arange(height, at::kDouble) + 0.5 - place.y) / place.side).view({-1, 1});
  const auto right = ((at::arange(width, at::kDouble) + 0.5 - place.x) / place.side).view({1, -1});
  return down.ge(top)
      .logical_and(down.le(bottom))
      .logical_and(right.abs().le(half_width))
      .to(at::kDouble);
}

/// Green of the skin between the eyes, [T].
at::Tensor skin_green(const at::Tensor& frames, const Place& place) {
  const auto nose = box_of_head(place, -0.3, 0.04, 0.15, frames.size(2), frames.size(3));
  return (frames[1].to(at::kDouble) * nose).sum(at::IntArrayRef{1, 2}) / nose.sum();
}

}  // namespace

Place find(const at::Tensor& frame) {
  const auto skin = ((frame[0].to(at::kDouble) - kGroundRed) / (kSkinRed - kGroundRed)).clamp(0, 1);
  const auto columns = skin.amax(0), rows = skin.amax(1);  // eyes and mouth leave skin beside them
  const double wide = columns.sum().item<double>(), high = rows.sum().item<double>();
  SVI_CHECK(wide > 2 && high > 2, "no head in a true frame of talking_face");
  const auto centre = [](const at::Tensor& profile, double sum) {
    return ((at::arange(profile.size(0), at::kDouble) + 0.5) * profile).sum().item<double>() / sum;
  };
  Place place{centre(columns, wide), centre(rows, high), high / 2, 1};
  place.contrast = skin_green(frame.unsqueeze(1), place).item<double>() - (kMouth[1] + 1) / 2;
  return place;
}

at::Tensor opening(const at::Tensor& frames, const Place& place) {
  SVI_CHECK(frames.dim() == 4 && frames.size(0) == 3, "frames of ", frames.sizes());
  const auto H = frames.size(2), W = frames.size(3);
  const double half = kMouthShut + kMouthOpens;  // of a mouth that is wide open
  const auto mouth = box_of_head(place, kMouthDown - half - 0.04, kMouthDown + half + 0.04,
                                 0.8 * kMouthHalfWidth, H, W);
  const auto columns = mouth.amax(0).sum();
  const auto dark = skin_green(frames, place).view({-1, 1, 1}) - frames[1].to(at::kDouble);
  const auto height = (dark * mouth).sum(at::IntArrayRef{1, 2}) / columns / place.contrast;
  return (height / (2 * place.side) - kMouthShut) / kMouthOpens;  // [T]
}

}  // namespace svi::face
