#include "leaderboard.hpp"

#include <array>
#include <cmath>
#include <optional>

namespace svi::eval {
namespace {

/// A dimension: its range on the leaderboard, and its weight in two sums.
struct Dimension {
  const char* name;
  double low, high;
  double quality, i2v;  // weights; 0: no part of the sum
};
constexpr std::array<Dimension, 10> kDimensions = {{
    {"subject_consistency", 0.1462, 1, 1, 0},
    {"background_consistency", 0.2615, 1, 1, 0},
    {"temporal_flickering", 0.6293, 1, 1, 0},
    {"motion_smoothness", 0.706, 0.9975, 1, 0},
    {"dynamic_degree", 0, 1, 0.5, 0},
    {"aesthetic_quality", 0, 1, 1, 0},
    {"imaging_quality", 0, 1, 1, 0},
    {"overall_consistency", 0, 0.364, 0, 0},
    {"i2v_subject", 0.1462, 1, 0, 1},
    {"i2v_background", 0.2615, 1, 0, 1},
}};

/// Weighted mean of what is measured; nothing where a dimension with a weight is not.
std::optional<double> weighted(const std::map<std::string, double>& normalised,
                               double Dimension::*weight, const std::string& without = {}) {
  double sum = 0, weights = 0;
  for (const auto& dimension : kDimensions) {
    if (dimension.*weight == 0 || dimension.name == without) continue;
    const auto found = normalised.find(dimension.name);
    if (found == normalised.end()) return std::nullopt;
    sum += dimension.*weight * found->second;
    weights += dimension.*weight;
  }
  return sum / weights;
}

}  // namespace

Leaderboard leaderboard_of(const Scores& scores, const std::string& arm) {
  Leaderboard board;
  for (const auto& dimension : kDimensions) {
    const auto* quantity = scores.find(dimension.name);
    const auto value = quantity == nullptr ? std::nan("") : quantity->mean(scores.films, arm);
    if (!std::isnan(value)) {
      board.normalised[dimension.name] = (value - dimension.low) / (dimension.high - dimension.low);
    } else if (dimension.quality > 0) {
      board.lacking.emplace_back(dimension.name);
    }
  }
  const auto quality = weighted(board.normalised, &Dimension::quality);
  const auto i2v = weighted(board.normalised, &Dimension::i2v);
  const auto i2v_quality = weighted(board.normalised, &Dimension::quality, "temporal_flickering");
  if (quality) board.sums["quality"] = *quality;
  if (i2v) board.sums["i2v"] = *i2v;
  if (i2v_quality) board.sums["i2v_quality"] = *i2v_quality;
  if (i2v && i2v_quality) board.sums["i2v_total"] = (*i2v + *i2v_quality) / 2;
  return board;
}

}  // namespace svi::eval
