#pragma once

#include <cstdint>
#include <optional>

namespace svi {

/// The times of a video's frames, in seconds from its first; private to io/.
///
/// Follows the file's time stamps. Where they run backwards, are missing or leap by more than ten
/// seconds, a frame follows the one before it after the nominal time.
class FrameClock {
 public:
  explicit FrameClock(double nominal_seconds) : nominal_(nominal_seconds) {}

  /// Time of the next frame; `stamp` in seconds, where it has one.
  double tick(std::optional<double> stamp);
  /// How often a time stamp could not be followed.
  std::int64_t leaps() const { return leaps_; }

 private:
  double nominal_, offset_ = 0, last_ = 0;
  bool started_ = false;
  std::int64_t leaps_ = 0;
};

/// Shows a video at a steady rate: at each time k / rate, the last frame that is not later.
///
/// Times that differ by less than 1.5 ms count as equal: some containers round to milliseconds.
class Retimer {
 public:
  explicit Retimer(double rate);

  /// How many target times a frame takes that is shown until `end`, the time of the next one.
  std::int64_t shows_until(double end);

 private:
  double rate_, tolerance_;
  std::int64_t next_ = 0;  // index of the first target time not yet taken
};

}  // namespace svi
