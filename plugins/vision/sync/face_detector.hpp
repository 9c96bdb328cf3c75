#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "vision/layers.hpp"
#include "vision/sync/face_track.hpp"

namespace svi::vision {

/// A face in a frame.
struct Face {
  FaceBox box;
  double score = 0;  // 0 to 1
};

/// S3FD (Zhang et al. 2017, arXiv 1708.05237): finds faces of all sizes. Reads sfd_face.pth by its
/// names: a VGG16 trunk, six maps of boxes and scores. Facts are from syncnet_python.
class S3fd {
 public:
  /// Throws IoError naming the file and the tensor that does not fit.
  explicit S3fd(Weights weights);

  /// Score of a face and its box for each prior: [N], and [N, 4] as left, top, right, bottom in
  /// shares of the picture. `picture` is [3, h, w], levels 0 to 255 in the order R, G, B.
  struct Priors {
    at::Tensor scores, boxes;
  };
  Priors look(const at::Tensor& picture) const;

  /// The faces in a frame of levels [3, H, W] that score more than `score`, the best first, after
  /// the frame was made smaller by `scale`; of boxes that overlap the best one stays.
  std::vector<Face> find(const at::Tensor& levels, double scale, double score) const;

 private:
  at::Device device_;
  std::vector<Conv> trunk_;          // the convolutions of VGG16, then fc6 and fc7
  std::vector<at::Tensor> lengths_;  // [C]: what vectors of the first three maps get
  std::vector<Conv> extras_, places_, scores_;
};

/// Follows faces through the frames of a film. A track begins with a face, goes on with each that
/// overlaps its last one by more than half (intersection over union) and is at most `gap` frames
/// later, and ends at a cut.
class FaceTracker {
 public:
  explicit FaceTracker(std::int64_t gap) : gap_(gap) {}

  void add(std::int64_t frame, std::vector<Face> faces);
  void cut();  // the next frame begins another scene
  /// The track with the most faces, the earlier of two; none where no track has more than `fewest`
  /// faces whose sides are more than `smallest` pixels on average.
  FaceBoxes longest(std::size_t fewest, double smallest) const;

 private:
  std::int64_t gap_;
  std::vector<FaceBoxes> open_, closed_;
};

/// Intersection over union of two boxes.
double overlap(const FaceBox& a, const FaceBox& b);

}  // namespace svi::vision
