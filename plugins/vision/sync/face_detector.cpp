#include "vision/sync/face_detector.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"
#include "vision/preprocess.hpp"

// Facts: the paper; layers, names, constants and rules of the detector in syncnet_python (MIT).
namespace svi::vision {
namespace {

/// A layer of the trunk, by its number in the file.
struct FaceLayer {
  std::int64_t index, in, out;
  bool pooled, compared;  // halved before it; a map of the detector behind it
};
constexpr std::array<FaceLayer, 15> kFaceLayers = {{{0, 3, 64, false, false},
                                                    {2, 64, 64, false, false},
                                                    {5, 64, 128, true, false},
                                                    {7, 128, 128, false, false},
                                                    {10, 128, 256, true, false},
                                                    {12, 256, 256, false, false},
                                                    {14, 256, 256, false, true},
                                                    {17, 256, 512, true, false},
                                                    {19, 512, 512, false, false},
                                                    {21, 512, 512, false, true},
                                                    {24, 512, 512, true, false},
                                                    {26, 512, 512, false, false},
                                                    {28, 512, 512, false, true},
                                                    {31, 512, 1024, true, false},
                                                    {33, 1024, 1024, false, true}}};
constexpr std::int64_t kWideLayer = 31, kPointLayer = 33;  // 3 x 3 of every sixth place; 1 x 1
constexpr std::array<std::int64_t, 6> kMapChannels = {256, 512, 512, 1024, 512, 256};
constexpr std::array<double, 3> kLevelMeans = {123, 117, 104};  // of R, G, B
constexpr double kCentreShare = 0.1, kSideShare = 0.2;          // of predictions
constexpr double kSmallestPrior = 16, kSmallestStep = 4;        // pixels; doubled from map to map
constexpr double kSameFace = 0.3, kSameFaceAtEnd = 0.1;         // overlaps
constexpr double kFollows = 0.5;

/// Pixels of a side after the scale, as OpenCV rounds it.
std::int64_t scaled_side(std::int64_t side, double scale) {
  return std::max<std::int64_t>(1, std::llrint(static_cast<double>(side) * scale));
}

/// Of faces, the best first, those that overlap no better one by more than `limit`.
std::vector<Face> apart(const std::vector<Face>& faces, double limit) {
  std::vector<Face> kept;
  for (const auto& face : faces) {
    const bool same = std::any_of(kept.begin(), kept.end(), [&](const Face& better) {
      return overlap(better.box, face.box) > limit;
    });
    if (!same) kept.push_back(face);
  }
  return kept;
}

double area(const FaceBox& box) { return (box.right - box.left) * (box.bottom - box.top); }

/// Boxes [h w, 4] in shares of the picture of the map of that index: `shift` [4, h, w] moves the
/// centres of its priors and stretches their sides.
at::Tensor face_boxes(const at::Tensor& shift, std::size_t map, std::int64_t height,
                      std::int64_t width) {
  const auto h = shift.size(1), w = shift.size(2);
  const auto times = static_cast<double>(std::int64_t{1} << map);
  const auto share = [&](double pixels, std::int64_t side) {
    return pixels * times / static_cast<double>(side);
  };
  const auto options = shift.options();
  const auto xs = (at::arange(w, options) + 0.5).view({1, w}) * share(kSmallestStep, width);
  const auto ys = (at::arange(h, options) + 0.5).view({h, 1}) * share(kSmallestStep, height);
  const double wide = share(kSmallestPrior, width), high = share(kSmallestPrior, height);
  const auto cx = xs + shift[0] * (kCentreShare * wide);  // [h, w]
  const auto cy = ys + shift[1] * (kCentreShare * high);
  const auto half_w = (shift[2] * kSideShare).exp() * (wide / 2);
  const auto half_h = (shift[3] * kSideShare).exp() * (high / 2);
  return at::stack({cx - half_w, cy - half_h, cx + half_w, cy + half_h}, 2).flatten(0, 1);
}

}  // namespace

double overlap(const FaceBox& a, const FaceBox& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const double both = std::max(0.0, width) * std::max(0.0, height);
  const double either = area(a) + area(b) - both;
  return either > 0 ? both / either : 0;
}

S3fd::S3fd(Weights weights) : device_(weights.device()) {
  const auto conv = [&](const std::string& name, std::int64_t in, std::int64_t out,
                        std::int64_t side, std::int64_t stride, std::int64_t padding) {
    return Conv(weights, name, in, out,
                {.kernel = {side, side}, .stride = {stride}, .padding = {padding}});
  };
  for (const auto& layer : kFaceLayers) {
    const bool point = layer.index == kPointLayer;
    trunk_.push_back(
        conv(cat("vgg.", layer.index), layer.in, layer.out, point ? 1 : 3, 1, point ? 0 : 1));
  }
  for (const auto* name : {"L2Norm3_3", "L2Norm4_3", "L2Norm5_3"})
    lengths_.push_back(weights.take(cat(name, ".weight"), {kMapChannels[lengths_.size()]}));
  extras_ = {conv("extras.0", 1024, 256, 1, 1, 0), conv("extras.1", 256, 512, 3, 2, 1),
             conv("extras.2", 512, 128, 1, 1, 0), conv("extras.3", 128, 256, 3, 2, 1)};
  for (std::size_t i = 0; i < kMapChannels.size(); ++i) {
    places_.push_back(conv(cat("loc.", i), kMapChannels[i], 4, 3, 1, 1));
    scores_.push_back(conv(cat("conf.", i), kMapChannels[i], i == 0 ? 4 : 2, 3, 1, 1));
  }
  weights.finish();
}

S3fd::Priors S3fd::look(const at::Tensor& picture) const {
  const auto means = at::tensor(std::vector<double>(kLevelMeans.begin(), kLevelMeans.end()));
  auto x = (picture - means.to(at::kFloat).view({3, 1, 1})).unsqueeze(0).to(device_);
  const auto height = picture.size(1), width = picture.size(2);
  std::vector<at::Tensor> maps;
  for (std::size_t i = 0; i < kFaceLayers.size(); ++i) {
    const auto& layer = kFaceLayers[i];
    // The third halving keeps an odd row or column.
    if (layer.pooled) x = at::max_pool2d(x, 2, 2, 0, 1, /*ceil_mode=*/layer.index == 17);
    const auto& conv = trunk_[i];
    x = layer.index == kWideLayer ? at::conv2d(x, conv.weight, conv.bias, 1, 6, 6) : conv(x);
    x = at::relu(x);
    if (!layer.compared) continue;
    if (maps.size() == lengths_.size()) {
      maps.push_back(x);
    } else {
      const auto unit = x / (x.square().sum(1, true).sqrt() + 1e-10);
      maps.push_back(unit * lengths_[maps.size()].view({1, -1, 1, 1}));
    }
  }
  for (std::size_t i = 0; i < extras_.size(); ++i) {
    x = at::relu(extras_[i](x));
    if (i % 2 == 1) maps.push_back(x);
  }
  std::vector<at::Tensor> scores, boxes;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    auto two = scores_[i](maps[i]);  // [1, 2, h, w]: no face, face
    if (i == 0) {
      two = at::cat({std::get<0>(two.narrow(1, 0, 3).max(1, true)), two.narrow(1, 3, 1)}, 1);
    }
    scores.push_back(two.softmax(1)[0][1].flatten());
    boxes.push_back(face_boxes(places_[i](maps[i])[0], i, height, width));
  }
  return {at::cat(scores).cpu(), at::cat(boxes).cpu()};
}

std::vector<Face> S3fd::find(const at::Tensor& levels, double scale, double score) const {
  const auto [C, H, W] = dims<3>(levels, "levels [3, H, W]");
  const auto small = resized(levels.to(at::kFloat), scaled_side(H, scale), scaled_side(W, scale),
                             {Filter::bilinear, false})
                         .add(0.5)
                         .floor();  // OpenCV rounds a half up
  const auto priors = look(small);
  const auto good = (priors.scores > score).nonzero().flatten();
  const auto scores = priors.scores.index_select(0, good).to(at::kDouble);
  const auto boxes = priors.boxes.index_select(0, good).to(at::kDouble);
  std::vector<Face> faces;
  for (std::int64_t i = 0; i < good.size(0); ++i) {
    const auto side = [&](std::int64_t k, std::int64_t pixels) {
      return boxes[i][k].item<double>() * static_cast<double>(pixels);
    };
    faces.push_back({{side(0, W), side(1, H), side(2, W), side(3, H)}, scores[i].item<double>()});
  }
  std::stable_sort(faces.begin(), faces.end(),
                   [](const Face& a, const Face& b) { return a.score > b.score; });
  return apart(apart(faces, kSameFace), kSameFaceAtEnd);
}

void FaceTracker::add(std::int64_t frame, std::vector<Face> faces) {
  for (auto track = open_.begin(); track != open_.end();) {
    if (frame - track->rbegin()->first > gap_) {
      closed_.push_back(std::move(*track));
      track = open_.erase(track);
      continue;
    }
    const auto& last = track->rbegin()->second;
    const auto next = std::find_if(faces.begin(), faces.end(), [&](const Face& face) {
      return overlap(last, face.box) > kFollows;
    });
    if (next != faces.end()) {
      track->emplace(frame, next->box);
      faces.erase(next);
    }
    ++track;
  }
  for (const auto& face : faces) open_.push_back({{frame, face.box}});
}

void FaceTracker::cut() {
  for (auto& track : open_) closed_.push_back(std::move(track));
  open_.clear();
}

FaceBoxes FaceTracker::longest(std::size_t fewest, double smallest) const {
  const FaceBoxes* best = nullptr;
  for (const auto* tracks : {&closed_, &open_}) {
    for (const auto& track : *tracks) {
      double width = 0, height = 0;
      for (const auto& [frame, box] : track) {
        width += (box.right - box.left) / static_cast<double>(track.size());
        height += (box.bottom - box.top) / static_cast<double>(track.size());
      }
      if (track.size() <= fewest || std::max(width, height) <= smallest) continue;
      const bool better =
          best == nullptr || track.size() > best->size() ||
          (track.size() == best->size() && track.begin()->first < best->begin()->first);
      if (better) best = &track;
    }
  }
  return best == nullptr ? FaceBoxes() : *best;
}

}  // namespace svi::vision
