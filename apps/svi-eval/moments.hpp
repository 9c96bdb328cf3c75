#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "scores.hpp"

namespace svi::eval {

/// A film at its worst frame.
struct WorstMoment {
  std::size_t film = 0;
  std::size_t frame = 0;
  double value = 0;
};

/// The worst frames of the films that a quantity likes least, one of each, the worst first; none of
/// a quantity that has no better and worse, or no values of frames.
std::vector<WorstMoment> worst_moments(const Scores& scores, const ScoredQuantity& quantity);

/// The same of every quantity, in their order.
std::vector<std::vector<WorstMoment>> worst_moments(const Scores& scores);

/// Small JPEG pictures, by film and frame.
using Pictures = std::map<std::pair<std::size_t, std::size_t>, std::string>;

/// Pictures of these moments. Each film is decoded once. A film that cannot
/// be read any more has none, which the log tells.
Pictures moment_pictures(const Scores& scores,
                         const std::vector<std::vector<WorstMoment>>& moments);

}  // namespace svi::eval
