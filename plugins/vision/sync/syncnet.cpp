#include "vision/sync/syncnet.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

// Facts: the paper; joonson/syncnet_python (MIT) for the names and sizes of syncnet_v2.model.
namespace svi::vision {
namespace {

/// A convolution and its batch norm, in the file's numbering.
struct SyncLayer {
  int index;
  std::int64_t in, out;
  std::vector<std::int64_t> kernel, stride, padding;
};

std::vector<SyncLayer> sound_layers() {
  return {{0, 1, 64, {3, 3}, {1, 1}, {1, 1}},     {4, 64, 192, {3, 3}, {1, 1}, {1, 1}},
          {8, 192, 384, {3, 3}, {1, 1}, {1, 1}},  {11, 384, 256, {3, 3}, {1, 1}, {1, 1}},
          {14, 256, 256, {3, 3}, {1, 1}, {1, 1}}, {18, 256, 512, {5, 4}, {1, 1}, {0, 0}}};
}

/// Kernels have length 1 in time behind the first: a long clip gives the windows' vectors at once.
std::vector<SyncLayer> picture_layers() {
  return {{0, 3, 96, {5, 7, 7}, {1, 2, 2}, {0, 0, 0}},
          {4, 96, 256, {1, 5, 5}, {1, 2, 2}, {0, 1, 1}},
          {8, 256, 256, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}},
          {11, 256, 256, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}},
          {14, 256, 256, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}},
          {18, 256, 512, {1, 6, 6}, {1, 1, 1}, {0, 0, 0}}};
}

std::vector<Conv> folded_layers(Weights& weights, const std::string& name,
                                const std::vector<SyncLayer>& layers) {
  std::vector<Conv> convs;
  for (const auto& layer : layers) {
    const Conv conv(weights, cat(name, ".", layer.index), layer.in, layer.out,
                    {.kernel = layer.kernel, .stride = layer.stride, .padding = layer.padding});
    convs.push_back(folded(conv, BatchNorm(weights, cat(name, ".", layer.index + 1), layer.out)));
  }
  return convs;
}

}  // namespace

at::Tensor SyncNet::Head::operator()(const at::Tensor& x) const {
  return last(at::relu(at::linear(x, weight, bias)));
}

SyncNet::Head SyncNet::head(Weights& weights, const std::string& name) {
  const Linear first(weights, name + ".0", 512, 512);
  const BatchNorm norm(weights, name + ".1", 512);
  return {first.weight * norm.scale.unsqueeze(1), first.bias * norm.scale + norm.shift,
          Linear(weights, name + ".3", 512, kWidth)};
}

SyncNet::SyncNet(Weights weights) {
  sound_ = folded_layers(weights, "netcnnaud", sound_layers());
  sound_head_ = head(weights, "netfcaud");
  picture_ = folded_layers(weights, "netcnnlip", picture_layers());
  picture_head_ = head(weights, "netfclip");
  weights.finish();
}

at::Tensor SyncNet::seen(const at::Tensor& frames) const {
  const auto [C, T, H, W] = dims<4>(frames, "frames [3, T, 224, 224]");
  SVI_CHECK(C == 3 && T >= kFrames && H == kSide && W == kSide, "SyncNet on frames of sizes ",
            frames.sizes());
  auto x = at::relu(picture_[0](frames.unsqueeze(0)));                 // [1, 96, T-4, 109, 109]
  x = at::max_pool3d(x, {1, 3, 3}, {1, 2, 2});                         // 54
  x = at::relu(picture_[1](x));                                        // 26
  x = at::max_pool3d(x, {1, 3, 3}, {1, 2, 2}, {0, 1, 1});              // 13
  for (std::size_t i = 2; i < 5; ++i) x = at::relu(picture_[i](x));    // 13
  x = at::relu(picture_[5](at::max_pool3d(x, {1, 3, 3}, {1, 2, 2})));  // 6, then 1
  return picture_head_(x.flatten(2).squeeze(0).t());                   // of [T-4, 512]
}

at::Tensor SyncNet::heard(const at::Tensor& windows) const {
  const auto [B, K, N] = dims<3>(windows, "windows [B, 13, 20]");
  SVI_CHECK(K == 13 && N == kColumns, "SyncNet on sound of sizes ", windows.sizes());
  auto x = at::relu(sound_[0](windows.unsqueeze(1)));  // [B, 64, 13, 20]
  x = at::relu(sound_[1](x));
  x = at::max_pool2d(x, {3, 3}, {1, 2});  // 11 x 9
  for (std::size_t i = 2; i < 5; ++i) x = at::relu(sound_[i](x));
  x = at::relu(sound_[5](at::max_pool2d(x, {3, 3}, {2, 2})));  // 5 x 4, then 1
  return sound_head_(x.flatten(1));
}

}  // namespace svi::vision
