#include "frame_clock.hpp"

#include <algorithm>

namespace svi {

double FrameClock::tick(std::optional<double> stamp) {
  constexpr double kLongest = 10;  // seconds
  if (!started_) {
    started_ = true;
    offset_ = stamp.value_or(0);
    return 0;
  }
  const double expected = last_ + nominal_;
  double time = stamp ? *stamp - offset_ : expected;
  if (stamp && (time <= last_ || time - last_ > std::max(kLongest, 2 * nominal_))) {
    ++leaps_;
    time = expected;
    offset_ = *stamp - time;
  }
  return last_ = time;
}

Retimer::Retimer(double rate) : rate_(rate), tolerance_(std::min(1.5e-3, 0.25 / rate)) {}

std::int64_t Retimer::shows_until(double end) {
  const auto before = next_;
  while (static_cast<double>(next_) / rate_ + tolerance_ < end) ++next_;
  return next_ - before;
}

}  // namespace svi
