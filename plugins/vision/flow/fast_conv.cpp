#include "vision/flow/fast_conv.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "model/wan/vae/vae_winograd.hpp"
#include "svi/tensor/threads.hpp"

namespace svi::vision {
namespace {

constexpr std::int64_t kWholeChannels = 16;
constexpr double kNormEpsilon = 1e-5;
constexpr std::int64_t kPlacesAtOnce = 256;  // sums over so many are fp32

bool runs_fast(const Conv& conv) {
  const auto three = std::vector<std::int64_t>{3, 3};
  return conv.weight.is_cpu() && conv.shape.kernel == three && conv.weight.size(1) >= 16 &&
         conv.shape.stride == std::vector<std::int64_t>{1};
}

/// Channels that come and go: rounded up to what a register holds.
std::int64_t whole_channels(std::int64_t channels) {
  return (channels + kWholeChannels - 1) / kWholeChannels * kWholeChannels;
}

/// Sums over places of x and of its square, less `offset`, for each channel; x is [places, C].
void add_moments(const float* x, std::int64_t places, std::int64_t C, const float* offset,
                 double* sums, double* squares) {
  std::vector<float> some(static_cast<std::size_t>(2 * C));
  for (std::int64_t first = 0; first < places; first += kPlacesAtOnce) {
    std::fill(some.begin(), some.end(), 0.0F);
    float* const sum = some.data();
    float* const square = sum + C;
    for (auto n = first; n < std::min(places, first + kPlacesAtOnce); ++n) {
      const float* row = x + n * C;
      for (std::int64_t c = 0; c < C; ++c) {
        const float value = row[c] - offset[c];
        sum[c] += value;
        square[c] += value * value;
      }
    }
    for (std::int64_t c = 0; c < C; ++c) {
      sums[c] += sum[c];
      squares[c] += square[c];
    }
  }
}

}  // namespace

FastConv::FastConv(Conv conv) : conv_(std::move(conv)) {
  if (!runs_fast(conv_)) return;
  const auto in = conv_.weight.size(1), out = conv_.weight.size(0);
  const auto weight = at::constant_pad_nd(
      conv_.weight, {0, 0, 0, 0, 0, whole_channels(in) - in, 0, whole_channels(out) - out});
  made_ = wan::winograd_weight(weight.contiguous().unsqueeze(2), 1);
  conv_.weight = at::Tensor();
}

at::Tensor FastConv::operator()(const at::Tensor& x) const {
  if (!made_.defined()) return conv_(x);
  auto frame = x.permute({0, 2, 3, 1});  // [1, h, w, in]
  const auto in = frame.size(3), out = conv_.bias.size(0);
  if (in % kWholeChannels != 0) frame = at::constant_pad_nd(frame, {0, whole_channels(in) - in});
  frame = frame.contiguous();
  auto result = at::empty({1, frame.size(1), frame.size(2), whole_channels(out)}, frame.options());
  wan::winograd_convolution_made({{frame}, false}, made_, conv_.bias, {}, result);
  return result.permute({0, 3, 1, 2}).narrow(1, 0, out);
}

at::Tensor normed_over_places(at::Tensor x, bool linear) {
  if (!x.is_cpu() || !x.is_contiguous(at::MemoryFormat::ChannelsLast)) {
    x = at::batch_norm(x, {}, {}, {}, {}, /*training=*/true, 0.1, kNormEpsilon, false);
    return linear ? x : x.relu_();
  }
  auto places = x.permute({0, 2, 3, 1}).flatten(0, 2);  // [h w, C]
  const auto N = places.size(0), C = places.size(1);
  constexpr std::int64_t kParts = 64;  // fixed, so that sums do not depend on threads
  const auto length = (N + kParts - 1) / kParts;
  auto moments = at::zeros({kParts, 2, C}, at::kDouble);
  const auto offset = places[0].clone();  // of the size of the mean, or the squares lose digits
  auto* data = places.mutable_data_ptr<float>();
  parallel_for(0, kParts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto part = begin; part < end; ++part) {
      auto* sums = moments.mutable_data_ptr<double>() + part * 2 * C;
      const auto first = std::min(N, part * length), last = std::min(N, first + length);
      add_moments(data + first * C, last - first, C, offset.const_data_ptr<float>(), sums,
                  sums + C);
    }
  });
  const auto means = moments.sum(0) / static_cast<double>(N);  // [2, C], less the offset
  const auto factor = (means[1] - means[0].square() + kNormEpsilon).rsqrt();
  const auto shift = (-(means[0] + offset) * factor).to(at::kFloat);
  const auto scale = factor.to(at::kFloat);
  const float floor = linear ? -std::numeric_limits<float>::infinity() : 0.0F;
  parallel_for(0, N, 64, [&](std::int64_t begin, std::int64_t end) {
    const auto *a = scale.const_data_ptr<float>(), *b = shift.const_data_ptr<float>();
    for (auto n = begin; n < end; ++n) {
      float* row = data + n * C;
      for (std::int64_t c = 0; c < C; ++c) {
        const float value = row[c] * a[c] + b[c];
        row[c] = value < floor ? floor : value;  // NaN stays
      }
    }
  });
  return x;
}

}  // namespace svi::vision
