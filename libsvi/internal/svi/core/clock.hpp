#pragma once

#include <chrono>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// Monotonic seconds since construction.
class Stopwatch {
 public:
  double seconds() const {  // since the start
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// "1 h 02 min", "3 min 20 s", "12 s".
SVI_EXPORT std::string human_duration(double seconds);

}  // namespace svi
