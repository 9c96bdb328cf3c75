// What the pose net is made of and is told: its options, its files, and poses that are points.
#include <ATen/ATen.h>

#include "pose_net.hpp"
#include "skeleton/track.hpp"
#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"
#include "svi/data/pose_video.hpp"
#include "svi/io/weight_files.hpp"

namespace {

constexpr std::string_view kPoseTensors = "dwpose_embedding.";

/// Of all points, so that a film goes on with the same poses only.
std::string motion_hash(const svi::skeleton::Motion& motion, double rate) {
  svi::Sha256 sum;
  sum.add(&rate, sizeof(rate));
  for (const auto& person : motion.frames) {
    const auto add = [&](const auto& points) {
      for (const auto& point : points) {
        const double values[] = {point.x, point.y, point.seen ? 1.0 : 0.0};
        sum.add(values, sizeof(values));
      }
    };
    add(person.body);
    for (const auto& hand : person.hands) add(hand);
  }
  return sum.hex().substr(0, 16);
}

}  // namespace

void PoseNet::Config::describe(svi::OptionVisitor& visit) {
  visit(confidence, {.key = "confidence",
                     .help = "key points that their finder was less sure of are not drawn",
                     .min = 0,
                     .max = 1});
  visit(person, {.key = "person",
                 .help = "which person of key points is drawn, from 0; -1: there is one, and more "
                         "are refused",
                 .min = -1,
                 .max = 1000});
  visit(missing, {.key = "missing",
                  .help = "frames of key points without that person: refuse names the first, hold "
                          "keeps the last pose, black shows none"});
  visit(canvas, {.key = "canvas",
                 .help = "width and height of the picture whose pixels key points are in, where "
                         "their file does not say",
                 .unit = "pixels",
                 .min = 1,
                 .max = 1e5});
  visit(pose_fps, {.key = "pose_fps",
                   .help = "rate of key points; 0: one pose for each frame of the film",
                   .unit = "1/s",
                   .min = 0,
                   .max = 1000});
  ExtensionOptions::describe(visit);
}

std::string PoseNet::Config::problem() const {
  return canvas.empty() || canvas.size() == 2
             ? ""
             : svi::cat("canvas has ", canvas.size(), " numbers; write WIDTH, HEIGHT");
}

std::string PoseNet::do_where_from() const {
  return "svi-experiment plugins/svi_dance/dance_smoke.ini trains one for the pocket; an adapter "
         "of SVI-Dance holds one for Wan 2.1";
}

svi::NamedTensors PoseNet::do_read_file(const std::filesystem::path& file) const {
  const auto all = svi::open_weights(file);
  svi::NamedTensors own;
  for (const auto& [name, tensor] : all) {
    if (const auto at = name.find(kPoseTensors); at != std::string::npos)
      own.emplace_back(name.substr(at), tensor);
  }
  if (own.empty()) {
    svi::raise<svi::IoError>(file.string(), ": has no tensors ", kPoseTensors, "*, but ",
                             all.size(), " others; give a file of a pose net, or an adapter of ",
                             "SVI-Dance or UniAnimate-DiT, which holds one");
  }
  return own;
}

svi::MadeTrack PoseNet::do_track_of(std::string_view part, const svi::TrackFile& file) const {
  if (!svi::skeleton::is_motion(file.path)) {
    svi::raise<svi::ConfigError>(
        file.path, ": holds no key points for the track '", part,
        "'; give a .json or .npz file, a folder of them, or a video by --pose");
  }
  svi::skeleton::MotionRules rules{.owner = title(),
                                   .confidence = config_.confidence,
                                   .person = config_.person,
                                   .missing = config_.missing};
  if (!config_.canvas.empty())
    rules.canvas_width = config_.canvas[0], rules.canvas_height = config_.canvas[1];
  auto motion = svi::skeleton::read_motion(file.path, rules);
  if (motion.width > 0)
    svi::check_pose_shape(file.path, motion.height, motion.width, file.height, file.width);
  auto identity = motion_hash(motion, config_.pose_fps);
  auto reader = std::make_shared<svi::skeleton::SkeletonTrack>(std::move(motion), config_.pose_fps,
                                                               file.fps, file.height, file.width);
  return {{}, std::move(identity), std::move(reader)};
}
