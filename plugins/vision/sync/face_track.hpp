#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace svi::vision {

/// Where a face is in a frame, in pixels; right and bottom lie outside.
struct FaceBox {
  double left = 0, top = 0, right = 0, bottom = 0;
};

/// The boxes of one film, by the index of the frame.
using FaceBoxes = std::map<std::int64_t, FaceBox>;

/// Boxes of films by the films' names without folder and ending, from a CSV file with the columns
/// film, frame, left, top, right, bottom in any order; `origin` names it in errors. IoError names
/// the line.
std::map<std::string, FaceBoxes> parse_boxes(std::string_view text, const std::string& origin);
std::map<std::string, FaceBoxes> read_boxes(const std::string& path);

/// A face followed through a film: centre and half the side of the square around it.
struct FacePlace {
  double x = 0, y = 0, half = 0;
};

/// The face in frames first .. first + places.size() - 1 at 25 per second.
struct FaceTrack {
  std::int64_t first = 0;
  std::vector<FacePlace> places = {};
};

/// A track through the boxes: between boxes on a straight line, `fps` frames per second retimed to
/// 25, then medians over 13 frames with zeros beyond both ends. Nothing where it has fewer than 13
/// frames, since medians at its ends would be 0.
std::optional<FaceTrack> track_of(const FaceBoxes& boxes, double fps);

/// Index of the film's frame that is seen at frame `index` of 25 per second: the last that is not
/// later.
std::int64_t source_frame(std::int64_t index, double fps);

/// The face in levels [3, H, W], fp32 0 .. 255, resized to 224 x 224 levels: the square made wider
/// by 0.4 on both sides and below, grey of 110 beyond the frame.
at::Tensor face_crop(const at::Tensor& levels, const FacePlace& place);
/// The whole frame, resized to 224 x 224 levels.
at::Tensor whole_frame(const at::Tensor& levels);

}  // namespace svi::vision
