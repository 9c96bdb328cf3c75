#pragma once

#include <map>
#include <string>
#include <vector>

#include "scores.hpp"

namespace svi::eval {

/// What VBench's leaderboard makes of the numbers of an arm's films (Huang et al. 2024, arXiv
/// 2311.17982, and its code): each mapped to (value - low) / (high - low), and weighted sums of
/// these. A sum stands only where each of its dimensions was measured.
struct Leaderboard {
  std::map<std::string, double> normalised;  // by quantity
  std::map<std::string, double> sums;        // "quality", "i2v", "i2v_quality", "i2v_total"
  std::vector<std::string> lacking;          // dimensions that "quality" lacks
};

/// Empty where no dimension of VBench was measured.
Leaderboard leaderboard_of(const Scores& scores, const std::string& arm);

}  // namespace svi::eval
