#pragma once

#include <array>

/// How the world `talking_face` draws a face, in shares of half the head's height.
namespace svi::face {

inline constexpr double kHeadHalfWidth = 0.75;
inline constexpr double kMouthDown = 0.42;  // from the head's centre to the mouth's
inline constexpr double kMouthHalfWidth = 0.38;
inline constexpr double kMouthShut = 0.02;   // half the height of a mouth that is shut,
inline constexpr double kMouthOpens = 0.28;  // and what a wide open one adds
inline constexpr std::array<double, 3> kMouth = {0.1, -0.8, -0.7};  // its colour, in [-1, 1]

}  // namespace svi::face
