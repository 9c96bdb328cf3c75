#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>

#include "metric/recording_sink.hpp"

namespace svi::test {

/// A film [3, T, H, W] whose frame t is frame t - late of `film`; its first (late > 0) or last
/// frame stands still where there is none.
inline at::Tensor late_film(const at::Tensor& film, std::int64_t late) {
  const auto T = film.size(1);
  return film.index_select(1, (at::arange(T, at::kLong) - late).clamp(0, T - 1));
}

/// Over 200 films: `quantity`, a lag in frames, is exactly 0 for the truth itself, and exactly k
/// for a film that is k frames late, k from -6 to 6.
inline void expect_lags(const Metric& metric, const std::string& quantity,
                        const std::function<at::Tensor(std::int64_t)>& film_of) {
  for (std::int64_t i = 0; i < 200; ++i) {
    const auto film = film_of(i);
    const std::int64_t late = i % 13 - 6;
    EXPECT_EQ(measure(metric, film, 4, film).clips.at(quantity).back(), 0) << i;
    EXPECT_EQ(measure(metric, late_film(film, late), 4, film).clips.at(quantity).back(),
              static_cast<double>(late))
        << i;
  }
}

}  // namespace svi::test
