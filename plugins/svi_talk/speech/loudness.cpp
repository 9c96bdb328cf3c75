#include "speech/loudness.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "svi/core/check.hpp"

// Facts: ITU-R BS.1770-4 (filters and gates); the analogue prototypes behind its table of
// coefficients for 48 kHz, from which those of other rates follow: Mansbridge, Finn and Reiss 2012.
namespace svi::speech {
namespace {

constexpr double kAbsoluteGate = -70, kRelativeGate = -10;  // LUFS, LU
constexpr double kOffset = -0.691;                          // dB: a sine of 997 Hz reads its level

/// A filter of second order, in direct form with two states.
struct SecondOrder {
  double b0, b1, b2, a1, a2;
  double first = 0, second = 0;

  double operator()(double x) {
    const double y = b0 * x + first;
    first = b1 * x - a1 * y + second;
    second = b2 * x - a2 * y;
    return y;
  }
};

/// The shelf that stands for the head.
SecondOrder head_shelf(double rate) {
  constexpr double kHertz = 1681.974450955533, kGain = 3.999843853973347, kQ = 0.7071752369554196;
  const double k = std::tan(std::numbers::pi * kHertz / rate);
  const double high = std::pow(10, kGain / 20), band = std::pow(high, 0.4996667741545416);
  const double a0 = 1 + k / kQ + k * k;
  return {(high + band * k / kQ + k * k) / a0, 2 * (k * k - high) / a0,
          (high - band * k / kQ + k * k) / a0, 2 * (k * k - 1) / a0, (1 - k / kQ + k * k) / a0};
}

/// The high pass behind it.
SecondOrder low_cut(double rate) {
  constexpr double kHertz = 38.13547087602444, kQ = 0.5003270373238773;
  const double k = std::tan(std::numbers::pi * kHertz / rate);
  const double a0 = 1 + k / kQ + k * k;
  return {1, -2, 1, 2 * (k * k - 1) / a0, (1 - k / kQ + k * k) / a0};
}

double loudness_of(double power) { return kOffset + 10 * std::log10(power); }

/// Mean powers of K-weighted blocks of 0.4 s, one every 0.1 s, summed over channels.
std::vector<double> block_powers(const Sound& sound) {
  const auto step = static_cast<std::int64_t>(std::llround(0.1 * static_cast<double>(sound.rate)));
  const auto steps = sound.samples.size(1) / step;
  std::vector<double> sums(static_cast<std::size_t>(steps), 0);  // of squares, per 0.1 s
  for (std::int64_t c = 0; c < sound.samples.size(0); ++c) {
    const auto row = sound.samples[c].to(at::kFloat).contiguous();
    const auto* sample = row.const_data_ptr<float>();
    auto shelf = head_shelf(static_cast<double>(sound.rate));
    auto cut = low_cut(static_cast<double>(sound.rate));
    for (auto& sum : sums) {
      for (std::int64_t i = 0; i < step; ++i) {
        const double y = cut(shelf(*sample++));
        sum += y * y;
      }
    }
  }
  std::vector<double> powers;
  for (std::size_t i = 3; i < sums.size(); ++i) {
    powers.push_back((sums[i - 3] + sums[i - 2] + sums[i - 1] + sums[i]) /
                     (4 * static_cast<double>(step)));
  }
  return powers;
}

/// Mean of the powers that are louder than a gate; 0 where none is.
double gated_mean(const std::vector<double>& powers, double gate) {
  double sum = 0, count = 0;
  for (const double power : powers) {
    if (power <= 0 || loudness_of(power) <= gate) continue;
    sum += power;
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

}  // namespace

double integrated_loudness(const Sound& sound) {
  SVI_CHECK(sound.samples.dim() == 2 && sound.rate >= 100, "a sound [channels, N] at a rate, got ",
            sound.samples.sizes(), " at ", sound.rate, " Hz");
  const auto powers = block_powers(sound);
  if (powers.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double loud = gated_mean(powers, kAbsoluteGate);
  if (loud == 0) return -std::numeric_limits<double>::infinity();
  return loudness_of(
      gated_mean(powers, std::max(kAbsoluteGate, loudness_of(loud) + kRelativeGate)));
}

}  // namespace svi::speech
