#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <cstdint>

/// Bodies and hands as points, and how they are drawn.
namespace svi::skeleton {

/// A point in shares of the picture's width and height, (0, 0) at its first pixel.
struct Point {
  double x = 0, y = 0;
  bool seen = false;
};

inline constexpr std::size_t kBodyPoints = 20;  // OpenPose's 18 of COCO, left toes, right toes
inline constexpr std::size_t kHandPoints = 21;  // the wrist, then four of each finger

/// One person. Points that are not seen are not drawn, nor the limbs that end there.
///
/// Body: nose, neck, right shoulder, elbow, wrist, left shoulder, elbow, wrist, right hip, knee,
/// ankle, left hip, knee, ankle, right eye, left eye, right ear, left ear, left toes, right toes.
struct Person {
  std::array<Point, kBodyPoints> body = {};
  std::array<std::array<Point, kHandPoints>, 2> hands = {};

  bool seen() const;  // whether any point is
};

/// Sizes in pixels; the defaults are those of DWPose's drawings, which SVI-Dance learned.
struct Pens {
  double limb = 4;          // half the width of a limb's ellipse
  double joint = 4;         // radius of a joint
  double finger = 2;        // width of a line of a hand
  double brightness = 0.6;  // of limbs against joints
};

/// A skeleton in front of black: uint8 [3, H, W]. A pixel is inside a shape or not; there are no
/// half-tones, as in the reference.
at::Tensor draw(const Person& person, std::int64_t height, std::int64_t width,
                const Pens& pens = {});

/// The same for a film: one whose shorter side has fewer than 256 pixels gets a larger drawing that
/// is reduced, so that its lines stay apart.
at::Tensor draw_for_film(const Person& person, std::int64_t height, std::int64_t width);

}  // namespace svi::skeleton
