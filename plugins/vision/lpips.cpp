#include "vision/lpips.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"
#include "vision/preprocess.hpp"

// Facts: the paper; the lpips package 0.1.4 (BSD-2-Clause), its constants and its names;
// torchvision for the layers of AlexNet and VGG16.
namespace svi::vision {
namespace {

/// A convolution of a trunk, in torchvision's numbering of `features`.
struct TrunkLayer {
  std::int64_t index, in, out, kernel, stride, padding, pooled;
  bool compared;
};

constexpr TrunkLayer kAlexLayers[] = {{0, 3, 64, 11, 4, 2, 0, true},
                                      {3, 64, 192, 5, 1, 2, 3, true},
                                      {6, 192, 384, 3, 1, 1, 3, true},
                                      {8, 384, 256, 3, 1, 1, 0, true},
                                      {10, 256, 256, 3, 1, 1, 0, true}};
constexpr TrunkLayer kVggLayers[] = {
    {0, 3, 64, 3, 1, 1, 0, false},     {2, 64, 64, 3, 1, 1, 0, true},
    {5, 64, 128, 3, 1, 1, 2, false},   {7, 128, 128, 3, 1, 1, 0, true},
    {10, 128, 256, 3, 1, 1, 2, false}, {12, 256, 256, 3, 1, 1, 0, false},
    {14, 256, 256, 3, 1, 1, 0, true},  {17, 256, 512, 3, 1, 1, 2, false},
    {19, 512, 512, 3, 1, 1, 0, false}, {21, 512, 512, 3, 1, 1, 0, true},
    {24, 512, 512, 3, 1, 1, 2, false}, {26, 512, 512, 3, 1, 1, 0, false},
    {28, 512, 512, 3, 1, 1, 0, true}};

/// The package's shift and scale of pictures in [-1, 1]: ImageNet's, rounded.
constexpr Normalisation kLpipsScaling{{-.030F, -.088F, -.188F}, {.458F, .448F, .450F}};

/// Each place's vector [C] at length 1.
at::Tensor unit_vectors(const at::Tensor& x) {
  return x / (x.square().sum(1, true).sqrt() + 1e-10);
}

at::ArrayRef<TrunkLayer> layers_of(LpipsTrunk which) {
  if (which == LpipsTrunk::alex) return kAlexLayers;
  return kVggLayers;
}

}  // namespace

std::vector<std::string> enum_names(LpipsTrunk) { return {"alex", "vgg"}; }

Lpips::Lpips(LpipsTrunk which, Weights trunk, Weights heads)
    : which_(which), device_(trunk.device()) {
  trunk.rename([](const std::string& name) { return name.starts_with("features.") ? name : ""; });
  for (const auto& layer : layers_of(which)) {
    steps_.push_back({Conv(trunk, cat("features.", layer.index), layer.in, layer.out,
                           {.kernel = {layer.kernel, layer.kernel},
                            .stride = {layer.stride},
                            .padding = {layer.padding}}),
                      layer.pooled, layer.compared});
    if (!layer.compared) continue;
    const auto name = cat("lin", heads_.size(), ".model.1.weight");
    heads_.push_back(heads.take(name, {1, layer.out, 1, 1}).flatten());
  }
  trunk.finish();
  heads.finish();
}

std::vector<at::Tensor> Lpips::features(at::Tensor x) const {
  std::vector<at::Tensor> found;
  for (const auto& step : steps_) {
    if (step.pooled > 0) x = at::max_pool2d(x, step.pooled, 2);
    x = at::relu(step.conv(x));
    if (step.compared) found.push_back(x);
  }
  return found;
}

double Lpips::operator()(const at::Tensor& a, const at::Tensor& b) const {
  const auto [C, H, W] = dims<3>(a, "picture [3, H, W]");
  SVI_CHECK(C == 3 && a.sizes() == b.sizes(), "LPIPS of ", a.sizes(), " and ", b.sizes());
  if (std::min(H, W) < shortest_side()) return std::numeric_limits<double>::quiet_NaN();
  const auto pair = at::stack({a, b}).to(device_, at::kFloat) * 2 - 1;  // [2, 3, H, W]
  double sum = 0;
  std::size_t depth = 0;
  for (const auto& x : features(normalised(pair, kLpipsScaling))) {
    const auto both = unit_vectors(x);
    const auto difference = (both[0] - both[1]).square();  // [C, h, w]
    sum += (difference.mean({1, 2}) * heads_[depth++]).sum().item<double>();
  }
  return sum;
}

}  // namespace svi::vision
