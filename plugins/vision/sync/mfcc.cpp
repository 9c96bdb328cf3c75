#include "vision/sync/mfcc.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "svi/core/check.hpp"

// Facts: Davis and Mermelstein 1980; python_speech_features 0.6 (MIT): its defaults, its rounding
// of the filters' corners, and what it puts in place of 0.
namespace svi::vision {
namespace {

constexpr std::int64_t kFft = 512, kBins = kFft / 2 + 1, kFilters = 26;
constexpr double kPreEmphasis = 0.97, kLifter = 22;
constexpr double kInsteadOfZero = 2.220446049250313e-16;  // fp64's epsilon: logarithms stay finite

double mel_of(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double hertz_of(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

/// Triangles whose corners lie at equal steps of mel, each at a whole bin.
at::Tensor mel_filters() {
  auto filters = at::zeros({kBins, kFilters}, at::kDouble);
  auto at_bin = filters.accessor<double, 2>();
  const double top = mel_of(Mfcc::kRate / 2.0);
  const auto corner = [&](std::int64_t i) {
    const double hertz = hertz_of(top * static_cast<double>(i) / (kFilters + 1));
    return static_cast<std::int64_t>(std::floor((kFft + 1) * hertz / Mfcc::kRate));
  };
  for (std::int64_t f = 0; f < kFilters; ++f) {
    const auto left = corner(f), middle = corner(f + 1), right = corner(f + 2);
    for (auto bin = left; bin < middle; ++bin)
      at_bin[bin][f] = static_cast<double>(bin - left) / static_cast<double>(middle - left);
    for (auto bin = middle; bin < right; ++bin)
      at_bin[bin][f] = static_cast<double>(right - bin) / static_cast<double>(right - middle);
  }
  return filters;
}

at::Tensor lifted_cosines() {
  auto cosines = at::empty({kFilters, Mfcc::kCount}, at::kDouble);
  auto at_filter = cosines.accessor<double, 2>();
  for (std::int64_t n = 0; n < kFilters; ++n) {
    for (std::int64_t k = 0; k < Mfcc::kCount; ++k) {
      const double angle = std::numbers::pi * static_cast<double>(k * (2 * n + 1)) / (2 * kFilters);
      const double length = std::sqrt((k == 0 ? 1.0 : 2.0) / kFilters);
      const double lift =
          1 + kLifter / 2 * std::sin(std::numbers::pi * static_cast<double>(k) / kLifter);
      at_filter[n][k] = length * lift * std::cos(angle);
    }
  }
  return cosines;
}

at::Tensor without_zeros(const at::Tensor& x) { return at::where(x.eq(0), kInsteadOfZero, x); }

}  // namespace

Mfcc::Mfcc() : filters_(mel_filters()), cosines_(lifted_cosines()) {}

std::int64_t Mfcc::frames(std::int64_t samples) {
  if (samples < 1) return 0;
  return samples <= kLength ? 1 : 1 + (samples - kLength + kStep - 1) / kStep;
}

at::Tensor Mfcc::operator()(const at::Tensor& samples, std::int64_t first,
                            std::int64_t count) const {
  SVI_CHECK(samples.dim() == 1 && samples.scalar_type() == at::kShort && first >= 0 && count >= 1 &&
                first + count <= frames(samples.size(0)),
            "frames ", first, " to ", first + count, " of the sound ", samples.sizes());
  const auto begin = first * kStep, length = (count - 1) * kStep + kLength;
  const auto end = std::min(begin + length, samples.size(0));
  const auto sound = samples.slice(0, begin, end).to(at::kDouble);
  // What each sample adds to the one before it; the film's first sample has none before it.
  const auto before = begin > 0
                          ? samples.slice(0, begin - 1, end - 1).to(at::kDouble)
                          : at::cat({at::zeros({1}, at::kDouble), sound.slice(0, 0, end - 1)});
  const auto emphasised =
      at::constant_pad_nd(sound - kPreEmphasis * before, {0, length - (end - begin)}, 0);
  const auto spectrum = at::fft_rfft(emphasised.unfold(0, kLength, kStep), kFft);  // [count, 257]
  const auto power = at::real(spectrum * spectrum.conj()) / static_cast<double>(kFft);
  auto coefficients = without_zeros(power.mm(filters_)).log().mm(cosines_);
  coefficients.select(1, 0).copy_(without_zeros(power.sum(1)).log());
  return coefficients;
}

}  // namespace svi::vision
