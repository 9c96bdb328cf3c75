#include <fstream>
#include <nlohmann/json.hpp>

#include "skeleton/points.hpp"
#include "svi/core/check.hpp"

namespace svi::skeleton {
namespace {

using nlohmann::json;

std::vector<FoundPoint> points_of(const json& person, const char* key, const std::string& where) {
  std::vector<FoundPoint> points;
  if (!person.contains(key) || person[key].is_null()) return points;
  const auto& list = person[key];
  bool good = list.is_array() && list.size() % 3 == 0;
  for (std::size_t i = 0; good && i < list.size(); ++i) good = list[i].is_number();
  if (!good)
    raise<IoError>(where, ": ", key,
                   " is no list of numbers x, y, confidence, x, y, confidence, ...");
  for (std::size_t i = 0; i < list.size(); i += 3)
    points.push_back({list[i].get<double>(), list[i + 1].get<double>(), list[i + 2].get<double>()});
  return points;
}

double canvas_size(const json& frame, const char* key, const std::string& where) {
  if (!frame.contains(key)) return 0;
  const auto& size = frame[key];
  if (!size.is_number()) raise<IoError>(where, ": ", key, " is no number: a size in pixels");
  if (size.get<double>() <= 0)
    raise<IoError>(where, ": ", key, " = ", size.dump(), " is no size in pixels");
  return size.get<double>();
}

FoundFrame frame_of(const json& frame, const std::string& where) {
  if (!frame.is_object() || !frame.contains("people") || !frame["people"].is_array()) {
    raise<IoError>(where, ": has no list `people`, which OpenPose's files have; give those, or a ",
                   "list of their contents");
  }
  FoundFrame found;
  found.where = where;
  found.width = canvas_size(frame, "canvas_width", where);
  found.height = canvas_size(frame, "canvas_height", where);
  for (const auto& person : frame["people"]) {
    if (!person.is_object()) raise<IoError>(where, ": an entry of `people` is no object");
    found.people.push_back({points_of(person, "pose_keypoints_2d", where),
                            points_of(person, "hand_left_keypoints_2d", where),
                            points_of(person, "hand_right_keypoints_2d", where)});
  }
  return found;
}

}  // namespace

std::vector<FoundFrame> read_json_frames(const std::string& path) {
  std::ifstream in(path);
  if (!in) raise<IoError>(path, ": cannot be opened");
  const auto document = json::parse(in, nullptr, false);
  if (document.is_discarded()) raise<IoError>(path, ": is no JSON, or a part of it is missing");
  if (!document.is_array()) return {frame_of(document, path)};
  std::vector<FoundFrame> frames;
  for (std::size_t i = 0; i < document.size(); ++i)
    frames.push_back(frame_of(document[i], cat(path, ": frame ", i)));
  return frames;
}

}  // namespace svi::skeleton
