#include "vision/preprocess.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "svi/core/check.hpp"

// Facts: torchvision's documentation of Resize and CenterCrop, and its behaviour; Pillow's
// documentation of its filters, and its behaviour.
namespace svi::vision {
namespace {

/// [..., H, W] as [N, C, H, W], which the kernels of ATen ask for.
at::Tensor with_four_axes(const at::Tensor& frames) {
  SVI_CHECK(frames.dim() >= 2 && frames.dim() <= 4, "frames [..., H, W] of 2 to 4 axes, got ",
            frames.sizes());
  auto x = frames;
  while (x.dim() < 4) x = x.unsqueeze(0);
  return x.contiguous();
}

at::Tensor sampled(const at::Tensor& x, at::IntArrayRef size, Resampling how) {
  if (how.filter == Filter::bilinear) {
    return how.antialias ? at::_upsample_bilinear2d_aa(x, size, false)
                         : at::upsample_bilinear2d(x, size, false);
  }
  return how.antialias ? at::_upsample_bicubic2d_aa(x, size, false)
                       : at::upsample_bicubic2d(x, size, false);
}

/// Weights of the pixels first, first + 1, ... for one pixel of the result, in units of 2^-22.
struct PillowTaps {
  std::int64_t first = 0;
  std::vector<std::int64_t> weights;
};

constexpr int kPillowBits = 22;

double pillow_kernel(Filter filter, double x) {
  x = std::abs(x);
  if (filter == Filter::bilinear) return x < 1 ? 1 - x : 0;
  constexpr double kA = -0.5;
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * kA : 0;
}

std::vector<PillowTaps> pillow_taps(std::int64_t in, std::int64_t out, Filter filter) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  const double support = (filter == Filter::bilinear ? 1.0 : 2.0) * stretch;
  std::vector<PillowTaps> taps;
  for (std::int64_t i = 0; i < out; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(centre - support + 0.5), 0);
    const auto last = std::min(static_cast<std::int64_t>(centre + support + 0.5), in);
    std::vector<double> weights;
    double sum = 0;
    for (auto k = first; k < last; ++k) {
      weights.push_back(
          pillow_kernel(filter, (static_cast<double>(k) - centre + 0.5) * (1.0 / stretch)));
      sum += weights.back();
    }
    PillowTaps one{first, {}};
    for (const double weight : weights) {
      const double units = weight / sum * static_cast<double>(1 << kPillowBits);
      one.weights.push_back(static_cast<std::int64_t>(units < 0 ? units - 0.5 : units + 0.5));
    }
    taps.push_back(std::move(one));
  }
  return taps;
}

/// Along the last axis: [R, in] uint8 to [R, out] uint8.
at::Tensor pillow_pass(const at::Tensor& rows, std::int64_t out, Filter filter) {
  const auto R = rows.size(0), in = rows.size(1);
  const auto taps = pillow_taps(in, out, filter);
  const auto from = rows.contiguous();
  auto to = at::empty({R, out}, at::kByte);
  const auto* source = from.const_data_ptr<std::uint8_t>();
  auto* target = to.data_ptr<std::uint8_t>();
  for (std::int64_t r = 0; r < R; ++r, source += in, target += out) {
    for (std::int64_t i = 0; i < out; ++i) {
      const auto& [first, weights] = taps[static_cast<std::size_t>(i)];
      std::int64_t sum = std::int64_t{1} << (kPillowBits - 1);
      for (std::size_t k = 0; k < weights.size(); ++k)
        sum += weights[k] * source[first + static_cast<std::int64_t>(k)];
      target[i] = static_cast<std::uint8_t>(std::clamp<std::int64_t>(sum >> kPillowBits, 0, 255));
    }
  }
  return to;
}

/// [3] along the third axis from the end.
at::Tensor of_channels(const std::array<float, 3>& values, const at::Tensor& like) {
  return at::tensor(at::ArrayRef<float>(values)).view({3, 1, 1}).to(like.device());
}

/// What is over on one axis, halved and rounded half to even, as Python rounds.
std::int64_t half_margin(std::int64_t length, std::int64_t wanted) {
  return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(length - wanted) / 2));
}

}  // namespace

std::pair<std::int64_t, std::int64_t> short_side_size(std::int64_t height, std::int64_t width,
                                                      std::int64_t side) {
  const auto shorter = std::min(height, width), longer = std::max(height, width);
  const auto scaled =
      static_cast<std::int64_t>(static_cast<double>(side * longer) / static_cast<double>(shorter));
  return height <= width ? std::pair{side, scaled} : std::pair{scaled, side};
}

at::Tensor resized(const at::Tensor& frames, std::int64_t height, std::int64_t width,
                   Resampling how) {
  if (frames.size(-2) == height && frames.size(-1) == width) return frames;
  const bool bytes = frames.scalar_type() == at::kByte;
  auto x = sampled(with_four_axes(bytes ? frames.to(at::kFloat) : frames), {height, width}, how);
  if (bytes) {
    if (how.filter == Filter::bicubic) x = x.clamp(0, 255);
    x = x.round().to(at::kByte);
  }
  auto sizes = frames.sizes().vec();
  sizes[sizes.size() - 2] = height;
  sizes[sizes.size() - 1] = width;
  return x.view(sizes);
}

at::Tensor resized_short(const at::Tensor& frames, std::int64_t side, Resampling how) {
  const auto [height, width] = short_side_size(frames.size(-2), frames.size(-1), side);
  return resized(frames, height, width, how);
}

at::Tensor resized_pillow(const at::Tensor& picture, std::int64_t height, std::int64_t width,
                          Filter filter) {
  SVI_CHECK(picture.scalar_type() == at::kByte && picture.dim() == 3,
            "a picture [C, H, W] of uint8, got ", picture.sizes(), " ", picture.scalar_type());
  const auto C = picture.size(0);
  auto x = picture;
  if (x.size(2) != width)
    x = pillow_pass(x.reshape({C * x.size(1), x.size(2)}), width, filter)
            .view({C, x.size(1), width});
  if (x.size(1) != height) {
    const auto columns = x.transpose(1, 2).reshape({C * width, x.size(1)});
    x = pillow_pass(columns, height, filter).view({C, width, height}).transpose(1, 2);
  }
  return x.contiguous();
}

at::Tensor center_crop(const at::Tensor& frames, std::int64_t height, std::int64_t width) {
  auto x = frames;
  const auto H = x.size(-2), W = x.size(-1);
  const auto rows = std::max<std::int64_t>(height - H, 0);
  const auto columns = std::max<std::int64_t>(width - W, 0);
  if (rows > 0 || columns > 0) {
    x = at::constant_pad_nd(x, {columns / 2, columns - columns / 2, rows / 2, rows - rows / 2}, 0);
  }
  return x.narrow(-2, half_margin(x.size(-2), height), height)
      .narrow(-1, half_margin(x.size(-1), width), width);
}

at::Tensor normalised(const at::Tensor& frames, const Normalisation& by) {
  return (frames - of_channels(by.mean, frames)) / of_channels(by.deviation, frames);
}

at::Tensor levels(const at::Tensor& frames) { return (frames.clamp(0, 1) * 255.0).round(); }

}  // namespace svi::vision
