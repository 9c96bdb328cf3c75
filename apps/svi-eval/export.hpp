#pragma once

#include <filesystem>
#include <string>

#include "arguments.hpp"
#include "scores.hpp"

namespace svi::eval {

/// The scores as JSON: {"videos": {FILE: {QUANTITY: value}}, "mean": {...}, "missing": [...], ...},
/// or as VBench writes its own: {QUANTITY: [mean, [{"video_path", "video_results"}, ...]]}.
std::string scores_json(const Scores& scores, Layout layout);

/// One line per film, one column per quantity.
std::string scores_csv(const Scores& scores);

/// What a terminal shows: one line per quantity, mean and interval of each arm, drift, and a
/// sentence where films begin to drift.
std::string scores_table(const Scores& scores);

/// One sentence for each quantity that drifts: where, from what to what.
std::vector<std::string> drift_sentences(const Scores& scores);

/// A page of curves and films that needs no other file but the films.
std::string scores_page(const Scores& scores, const std::filesystem::path& page);

/// Differences between two results, film by film. Throws ConfigError where no film or no quantity
/// is in both.
std::string compare_scores(const Scores& a, const std::string& a_name, const Scores& b,
                           const std::string& b_name);

}  // namespace svi::eval
