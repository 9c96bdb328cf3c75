#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "skeleton/motion.hpp"

namespace svi::skeleton {

/// A point as files have it: x, y in their units, and how sure its finder was.
using FoundPoint = std::array<double, 3>;

/// What a file tells of one frame.
struct FoundPerson {
  std::vector<FoundPoint> body, left_hand, right_hand;  // empty where there is none
};
struct FoundFrame {
  std::string where;                // "walk.json: frame 3", for messages
  std::vector<FoundPerson> people;  // all of them
  double width = 0, height = 0;     // of its picture; 0: not told
};

/// Frames of a .json file; throws IoError.
std::vector<FoundFrame> read_json_frames(const std::string& path);
/// Frames of a .npz file that is not compressed; throws IoError.
std::vector<FoundFrame> read_npz_frames(const std::string& path);

}  // namespace svi::skeleton
