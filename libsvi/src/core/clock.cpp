#include "svi/core/clock.hpp"

#include <cmath>

#include "svi/core/check.hpp"

namespace svi {

std::string human_duration(double seconds) {
  const auto total = static_cast<long>(std::lround(seconds < 0 ? 0 : seconds));
  if (total < 60) return cat(total, " s");
  if (total < 3600) return cat(total / 60, " min ", total % 60, " s");
  return cat(total / 3600, " h ", (total % 3600) / 600, (total % 3600) / 60 % 10, " min");
}

}  // namespace svi
