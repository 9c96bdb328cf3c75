#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "skeleton/skeleton.hpp"

namespace svi::skeleton {

/// What a frame without a person shows.
enum class MissingRule { refuse, hold, black };
inline std::vector<std::string> enum_names(MissingRule) { return {"refuse", "hold", "black"}; }

/// How key points are read; `owner` ("[extension.dance]") begins the remedies in messages.
struct MotionRules {
  std::string owner = {};
  double confidence = 0.3;                           // a point below is not seen
  std::int64_t person = -1;                          // which of several, from 0; -1: there is one
  MissingRule missing = MissingRule::refuse;         // frames without that person
  std::int64_t canvas_width = 0, canvas_height = 0;  // of pixels, where the file does not say; or 0
};

/// A person's points, frame by frame.
struct Motion {
  std::vector<Person> frames;
  std::int64_t width = 0, height = 0;  // of the picture that they were found in; 0: not known
};

/// Whether a path is one of key points: a folder, or a file that ends with .json or .npz.
bool is_motion(const std::string& path);

/// Reads key points:
/// - a folder of OpenPose's files, one for each frame, in order of their names: people[], each with
///   pose_keypoints_2d (18 or 25 points), hand_left_keypoints_2d, hand_right_keypoints_2d;
/// - a .json file that holds one of these, or a list of them, with canvas_width and canvas_height
///   where the points are in pixels;
/// - a .npz file of numpy.savez with an array `keypoints`, or a single one: [T, points, 3] of 18,
///   20, 25 or DWPose's 134 points (body, feet, face, left hand, right hand) of one person.
///
/// Points are in pixels, or in shares of the picture where none is above 1. Throws IoError naming
/// file, frame and remedy.
Motion read_motion(const std::string& path, const MotionRules& rules);

}  // namespace svi::skeleton
