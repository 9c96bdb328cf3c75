#include "svi/core/random.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;

using Words = std::array<std::uint32_t, 4>;

inline Words philox_rounds(Words counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const auto product0 = static_cast<std::uint64_t>(kMultiplier0) * counter[0];
    const auto product1 = static_cast<std::uint64_t>(kMultiplier1) * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0,
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1,
               static_cast<std::uint32_t>(product0)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return counter;
}

// 24 bits are all a float in [0, 1) can hold evenly; the half step keeps log() away from zero.
inline float unit_float(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }
inline double open_unit(std::uint32_t word) { return (static_cast<double>(word) + 0.5) * 0x1p-32; }

// Box and Muller 1958, in double so that the libm's last bit hardly ever reaches the float.
inline void normal_pair(std::uint32_t a, std::uint32_t b, float& first, float& second) {
  const double radius = std::sqrt(-2.0 * std::log(open_unit(a)));
  const double angle = 2.0 * std::numbers::pi * open_unit(b);
  first = static_cast<float>(radius * std::cos(angle));
  second = static_cast<float>(radius * std::sin(angle));
}

}  // namespace

std::array<std::uint32_t, 4> philox(const RandomKey& key, std::uint32_t block) {
  return philox_rounds({block, key.step, key.stream, static_cast<std::uint32_t>(key.purpose)},
                       static_cast<std::uint32_t>(key.seed),
                       static_cast<std::uint32_t>(key.seed >> 32));
}

double uniform(const RandomKey& key, std::uint32_t index) {
  const auto words = philox(key, index);
  const auto bits = (static_cast<std::uint64_t>(words[0]) << 32) | words[1];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

std::uint64_t uniform_index(const RandomKey& key, std::uint64_t count, std::uint32_t index) {
  SVI_CHECK(count > 0, "cannot choose among nothing");
  // Scaling 53 bits is even enough for any count that fits in memory.
  const auto chosen = static_cast<std::uint64_t>(uniform(key, index) * static_cast<double>(count));
  return std::min(chosen, count - 1);
}

void fill_uniform(const RandomKey& key, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += 4) {
    const auto words = philox(key, static_cast<std::uint32_t>(i / 4));
    for (std::int64_t j = i; j < std::min(i + 4, count); ++j) out[j] = unit_float(words[j - i]);
  }
}

std::vector<std::int64_t> permutation(const RandomKey& key, std::int64_t count) {
  std::vector<float> draws(static_cast<std::size_t>(count));
  fill_uniform(key, draws.data(), count);
  std::vector<std::int64_t> order(draws.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return draws[static_cast<std::size_t>(a)] < draws[static_cast<std::size_t>(b)];
  });
  return order;
}

void fill_normal(const RandomKey& key, float* out, std::int64_t count) {
  SVI_CHECK(count / 4 < (std::int64_t{1} << 32), "a sequence holds 2^34 numbers, asked for ",
            count);
  for (std::int64_t i = 0; i < count; i += 4) {
    const auto words = philox(key, static_cast<std::uint32_t>(i / 4));
    float values[4];
    normal_pair(words[0], words[1], values[0], values[1]);
    normal_pair(words[2], words[3], values[2], values[3]);
    for (std::int64_t j = i; j < std::min(i + 4, count); ++j) out[j] = values[j - i];
  }
}

std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t salt) {
  const auto words = philox_rounds(
      {static_cast<std::uint32_t>(salt), static_cast<std::uint32_t>(salt >> 32), 0, 0},
      static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
  return (static_cast<std::uint64_t>(words[0]) << 32) | words[1];
}

}  // namespace svi
