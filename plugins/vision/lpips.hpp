#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "vision/layers.hpp"

namespace svi::vision {

/// Which network's features LPIPS compares.
enum class LpipsTrunk { alex, vgg };
/// "alex", "vgg".
std::vector<std::string> enum_names(LpipsTrunk);

/// LPIPS v0.1 (Zhang et al. 2018, arXiv 1801.03924): the distance of two pictures in the features
/// of AlexNet or VGG16, at five depths, weighted by a linear head for each.
class Lpips {
 public:
  /// `trunk` has torchvision's names (features.0.weight, ...), of which the classifier is not used;
  /// `heads` those of the lpips package (lin0.model.1.weight, ...). Throws IoError naming the file.
  Lpips(LpipsTrunk which, Weights trunk, Weights heads);

  /// Distance of two pictures [3, H, W] in [0, 1], computed in fp32, 0 where they are equal. NaN
  /// where they are smaller than shortest_side().
  double operator()(const at::Tensor& a, const at::Tensor& b) const;
  /// Pictures of a shorter side leave no place at the last depth, in pixels.
  std::int64_t shortest_side() const { return which_ == LpipsTrunk::alex ? 31 : 16; }

 private:
  struct Step {
    Conv conv;            // followed by ReLU
    std::int64_t pooled;  // side of the maximum over every second place before it; 0: none
    bool compared;        // whether its output is one of the five
  };

  /// Features at the five depths, [2, C, h, w] each.
  std::vector<at::Tensor> features(at::Tensor x) const;

  LpipsTrunk which_;
  std::vector<Step> steps_;
  std::vector<at::Tensor> heads_;  // [C] each
  at::Device device_;
};

}  // namespace svi::vision
