#include "pose_net.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace {

constexpr std::int64_t kLayers = 7, kWidth = 16, kColours = 3;

/// SiLU layers have the odd numbers.
std::string pose_layer(std::int64_t i) { return "dwpose_embedding." + std::to_string(2 * i); }

/// The exponent of a power of two; -1 of another number.
std::int64_t doublings_of(std::int64_t stride) {
  std::int64_t count = 0;
  for (; stride > 1 && stride % 2 == 0; stride /= 2) ++count;
  return stride == 1 ? count : -1;
}

}  // namespace

PoseStrides pose_strides(std::int64_t time, std::int64_t space, const std::string& title) {
  const auto in_time = doublings_of(time), in_space = doublings_of(space);
  if (in_time < 0 || in_space < 1) {
    svi::raise<svi::ConfigError>(
        title, ": a token of this model stands for ", time, " pixel frames of ", space, " x ",
        space, " pixels; the pose net needs powers of two, and at least 2 pixels");
  }
  constexpr std::array<std::size_t, 3> kTimeOrder = {4, 5, 3}, kSpaceOrder = {3, 4, 5};
  PoseStrides strides;
  strides.fill({1, 1});
  strides[6][1] = 2;
  for (std::int64_t i = 0; i < in_time; ++i)
    strides[kTimeOrder[static_cast<std::size_t>(i % 3)]][0] *= 2;
  for (std::int64_t i = 1; i < in_space; ++i)
    strides[kSpaceOrder[static_cast<std::size_t>((i - 1) % 3)]][1] *= 2;
  return strides;
}

std::vector<svi::PartRule> PoseNet::do_reads() const {
  return {{std::string(svi::part::kPose), {svi::kAnySize, kColours, svi::kAnySize, svi::kAnySize}}};
}

std::vector<svi::ParameterSpec> PoseNet::do_parameters(const svi::ExtensionHost& host) const {
  if (host.patch[0] != 1) {
    svi::raise<svi::ConfigError>(title(), ": the model's patches span ", host.patch[0],
                                 " latent frames; the pose net needs patches of one");
  }
  std::vector<svi::ParameterSpec> specs;
  for (std::int64_t i = 0; i < kLayers; ++i) {
    const bool last = i == kLayers - 1;
    const auto in = i == 0 ? kColours : kWidth, out = last ? host.dim : kWidth;
    const auto sizes = last ? std::vector<std::int64_t>{out, in, 1, 2, 2}
                            : std::vector<std::int64_t>{out, in, 3, 3, 3};
    specs.push_back({pose_layer(i) + ".weight", sizes,
                     last ? svi::ParameterStart::zeros : svi::ParameterStart::xavier});
    specs.push_back({pose_layer(i) + ".bias", {out}});
  }
  return specs;
}

svi::ExtensionInputs PoseNet::do_begin(const svi::ExtensionPass& pass) const {
  const auto& like = parameter(pose_layer(0) + ".weight");
  const auto pose = pass.condition[svi::part::kPose].to(like.device(), like.scalar_type());
  const auto [B, T, C, H, W] = svi::dims<5>(pose, "pose [B, T, C, H, W]");
  const auto& grid = pass.grid;
  const auto F = grid.frames, space = H / grid.rows, time = F > 1 ? (T - 1) / (F - 1) : 1;
  if (space * grid.rows != H || space * grid.columns != W || time * (F - 1) + 1 != T) {
    svi::raise<svi::ConfigError>("condition.pose has ", T, " frames of ", W, "x", H,
                                 " pixels, which do not divide into ", F, " x ", grid.rows, " x ",
                                 grid.columns, " tokens: ", title(),
                                 " needs one pose for each pixel frame, of the clip's size");
  }
  const auto strides = pose_strides(time, space, title());
  // The first latent frame stands for one pixel frame, which fills the place of `time`.
  auto x = ((pose + 1) / 2).transpose(1, 2);  // [B, 3, T, H, W] in [0, 1]
  x = at::cat({x.narrow(2, 0, 1).expand({B, C, time - 1, H, W}), x}, 2);
  for (std::int64_t i = 0; i < kLayers; ++i) {
    const auto [in_time, in_space] = strides[static_cast<std::size_t>(i)];
    const std::int64_t padding = i == kLayers - 1 ? 0 : 1;
    if (i > 0) x = at::silu(x);
    x = at::conv3d(x, parameter(pose_layer(i) + ".weight"), parameter(pose_layer(i) + ".bias"),
                   {in_time, in_space, in_space}, padding);
  }
  // Zeros everywhere are no picture, whose levels are whole numbers: they say that none is told.
  const auto told = pose.flatten(1).ne(0).any(1).to(x.scalar_type()).view({B, 1, 1});
  return {.residual = x.flatten(2).transpose(1, 2) * told};  // [B, F h w, D]
}
