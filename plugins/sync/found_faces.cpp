#include "found_faces.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <deque>
#include <string>
#include <svi/io/video_reader.hpp>
#include <utility>
#include <vector>

#include "vision/scene_cuts.hpp"

namespace {

constexpr std::int64_t kFaceGap = 25;   // frames without the face that a track may have
constexpr double kSceneThreshold = 27;  // of cuts, at which tracks end
constexpr std::int64_t kFewestSceneFrames = 15;

}  // namespace

svi::vision::FaceBoxes found_faces(const svi::ClipView& clip, const svi::vision::S3fd& detector,
                                   const FoundFaces& rules) {
  svi::VideoReader reader(std::string(clip.file), {.exact_c_path = true, .fps = clip.fps});
  svi::vision::SceneCuts cuts(kSceneThreshold, kFewestSceneFrames);
  svi::vision::FaceTracker tracker(kFaceGap);
  const auto width = clip.frames.size(3);
  std::deque<std::vector<svi::vision::Face>> waiting;  // of frames whose scene is not known yet
  std::int64_t cut = -1, next = 0;
  const auto pass = [&] {
    if (next == cut) tracker.cut();
    tracker.add(next++, std::move(waiting.front()));
    waiting.pop_front();
  };
  while (const auto frame = reader.next()) {
    const auto enlargement = std::max<std::int64_t>(1, frame->size(2) / width);  // of its record
    const auto levels = frame->to(at::kFloat);
    auto faces = detector.find(levels, rules.scale / static_cast<double>(enlargement), rules.score);
    for (auto& face : faces) {
      for (auto* side : {&face.box.left, &face.box.top, &face.box.right, &face.box.bottom})
        *side /= static_cast<double>(enlargement);
    }
    waiting.push_back(std::move(faces));
    if (const auto found = cuts.add(levels)) cut = *found;
    while (next < cuts.open()) pass();
  }
  while (!waiting.empty()) pass();
  return tracker.longest(static_cast<std::size_t>(rules.track), rules.smallest);
}
