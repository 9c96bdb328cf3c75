#pragma once

#include <cstdint>
#include <svi/config/option.hpp>
#include <svi/metric/metric.hpp>

#include "vision/sync/face_detector.hpp"

/// How faces are found; the defaults are those of syncnet_python.
struct FoundFaces {
  double scale = 0.25;       // of the frames that the detector sees
  double score = 0.9;        // of a face, at least
  double smallest = 100;     // side of a face, pixels
  std::int64_t track = 100;  // frames with the face, at least

  void describe(svi::OptionVisitor& visit) {
    visit(scale, {.key = "face_scale",
                  .help = "faces = find: frames are made smaller by this for the detector",
                  .min = 0.01,
                  .max = 1});
    visit(score, {.key = "face_score",
                  .help = "faces = find: score of the detector above which there is a face",
                  .min = 0,
                  .max = 1});
    visit(smallest, {.key = "face_side",
                     .help = "faces = find: mean side above which a face counts",
                     .unit = "pixels",
                     .min = 0,
                     .max = 1e5});
    visit(track, {.key = "face_frames",
                  .help = "faces = find: a face counts that is found in more frames of one scene",
                  .unit = "frames",
                  .min = 0,
                  .max = 1e6});
  }
};

/// The boxes of the face that is longest in the film that this clip is of, by the film's frames at
/// the clip's rate. The film is read once more for it, so that memory does not grow.
svi::vision::FaceBoxes found_faces(const svi::ClipView& clip, const svi::vision::S3fd& detector,
                                   const FoundFaces& rules);
