#include "skeleton/motion.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "skeleton/points.hpp"
#include "svi/core/check.hpp"

namespace svi::skeleton {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCoco = 18, kBody25 = 25;

// OpenPose's body of 25 points has the middle of the hips as its ninth, and three points per foot.
constexpr std::array<std::size_t, kCoco> kOfBody25 = {0,  1,  2,  3,  4,  5,  6,  7,  9,
                                                      10, 11, 12, 13, 14, 15, 16, 17, 18};
constexpr std::array<std::array<std::size_t, 2>, 2> kToesOfBody25 = {{{19, 20}, {22, 23}}};

/// Points in shares of a picture of that size.
class Scale {
 public:
  Scale(double width, double height, double confidence)
      : width_(width), height_(height), confidence_(confidence) {}

  Point operator()(const FoundPoint& found) const {
    // Points that were not found are at (0, 0), or have no confidence.
    const bool seen = found[2] > 0 && found[2] >= confidence_ && (found[0] != 0 || found[1] != 0);
    return {found[0] / width_, found[1] / height_, seen};
  }

 private:
  double width_, height_, confidence_;
};

Person person_of(const FoundFrame& frame, const FoundPerson& found, const Scale& scale) {
  Person person;
  const auto count = found.body.size();
  if (count != 0 && count != kCoco && count != kBodyPoints && count != kBody25) {
    raise<IoError>(frame.where, ": a body has ", count,
                   " points; OpenPose's 18 or 25 are read, and 18 with two of toes");
  }
  for (std::size_t i = 0; i < std::min(count, kBodyPoints) && count != kBody25; ++i)
    person.body[i] = scale(found.body[i]);
  if (count == kBody25) {
    for (std::size_t i = 0; i < kCoco; ++i) person.body[i] = scale(found.body[kOfBody25[i]]);
    for (std::size_t foot = 0; foot < 2; ++foot) {  // the mean of large and small toe
      const auto large = scale(found.body[kToesOfBody25[foot][0]]);
      const auto small = scale(found.body[kToesOfBody25[foot][1]]);
      if (large.seen && small.seen)
        person.body[kCoco + foot] = {(large.x + small.x) / 2, (large.y + small.y) / 2, true};
    }
  }
  for (const auto* points : {&found.left_hand, &found.right_hand}) {
    if (!points->empty() && points->size() != kHandPoints)
      raise<IoError>(frame.where, ": a hand has ", points->size(), " points instead of ",
                     kHandPoints);
    auto& hand = person.hands[points == &found.left_hand ? 0 : 1];
    for (std::size_t i = 0; i < points->size(); ++i) hand[i] = scale((*points)[i]);
  }
  return person;
}

std::vector<FoundFrame> frames_of(const std::string& path) {
  if (!fs::exists(path)) raise<IoError>(path, ": no such file or folder");
  if (path.ends_with(".npz")) return read_npz_frames(path);
  if (!fs::is_directory(path)) return read_json_frames(path);
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  if (files.empty())
    raise<IoError>(path, ": holds no .json file of key points, one for each frame");
  std::vector<FoundFrame> frames;
  for (const auto& file : files) {
    auto of_file = read_json_frames(file);
    if (of_file.size() != 1)
      raise<IoError>(file, ": holds ", of_file.size(), " frames; in a folder each file holds one");
    frames.push_back(std::move(of_file.front()));
  }
  return frames;
}

/// The largest coordinate: above 1 they are pixels.
double largest_of(const std::vector<FoundFrame>& frames) {
  double largest = 0;
  for (const auto& frame : frames) {
    for (const auto& person : frame.people) {
      for (const auto* points : {&person.body, &person.left_hand, &person.right_hand}) {
        for (const auto& point : *points) largest = std::max({largest, point[0], point[1]});
      }
    }
  }
  return largest;
}

/// The frame's person by the rules; nothing where it is not there.
const FoundPerson* chosen_of(const FoundFrame& frame, const MotionRules& rules) {
  const auto count = static_cast<std::int64_t>(frame.people.size());
  if (rules.person < 0 && count > 1) {
    raise<IoError>(frame.where, ": shows ", count, " persons; one is animated. Set ", rules.owner,
                   " person = 0 for the first, 1 for the second, or give points of one person");
  }
  const auto index = std::max<std::int64_t>(rules.person, 0);
  return index < count ? &frame.people[static_cast<std::size_t>(index)] : nullptr;
}

}  // namespace

bool is_motion(const std::string& path) {
  return fs::is_directory(path) || path.ends_with(".json") || path.ends_with(".npz");
}

Motion read_motion(const std::string& path, const MotionRules& rules) {
  const auto frames = frames_of(path);
  if (frames.empty()) raise<IoError>(path, ": holds no frame");
  const bool pixels = largest_of(frames) > 1;
  Motion motion;
  for (const auto& frame : frames) {
    double width = frame.width, height = frame.height;
    if (width <= 0 || height <= 0) {
      width = static_cast<double>(rules.canvas_width);
      height = static_cast<double>(rules.canvas_height);
    }
    if (pixels && (width <= 0 || height <= 0)) {
      raise<IoError>(frame.where, ": has points in pixels, but not the size of their picture; set ",
                     rules.owner,
                     " canvas = WIDTH, HEIGHT, or write canvas_width and "
                     "canvas_height beside `people`");
    }
    motion.width = std::llround(width), motion.height = std::llround(height);
    const Scale scale(pixels ? width : 1, pixels ? height : 1, rules.confidence);
    const auto* found = chosen_of(frame, rules);
    auto person = found ? person_of(frame, *found, scale) : Person();
    if (!person.seen() && rules.missing == MissingRule::refuse) {
      raise<IoError>(frame.where, ": shows no person, of whom a point is at least ",
                     rules.confidence, " sure; set ", rules.owner,
                     " missing = hold to keep the last pose there, black for none");
    }
    if (!person.seen() && rules.missing == MissingRule::hold && !motion.frames.empty())
      person = motion.frames.back();
    motion.frames.push_back(person);
  }
  const bool any = std::any_of(motion.frames.begin(), motion.frames.end(),
                               [](const Person& person) { return person.seen(); });
  if (!any) raise<IoError>(path, ": shows no person in any of its ", frames.size(), " frames");
  return motion;
}

}  // namespace svi::skeleton
