#include <cmath>
#include <cstdio>
#include <sstream>

#include "export.hpp"
#include "leaderboard.hpp"
#include "svi/core/check.hpp"
#include "svi/metric/drift.hpp"

namespace svi::eval {
namespace {

std::string short_number(double value, const char* format = "%.5g") {
  if (std::isnan(value)) return "-";
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text + " ";
}

const char* arrow(Better better) {
  switch (better) {
    case Better::higher:
      return "higher is better";
    case Better::lower:
      return "lower is better";
    case Better::one:
      return "best at 1";
  }
  return "";
}

}  // namespace

std::vector<std::string> drift_sentences(const Scores& scores) {
  std::vector<std::string> sentences;
  for (const auto& arm : scores.arms) {
    for (const auto& quantity : scores.quantities) {
      if (quantity.better == Better::one || quantity.frames.empty()) continue;
      std::vector<std::vector<double>> curves;
      for (std::size_t i = 0; i < scores.films.size(); ++i) {
        if (scores.films[i].arm == arm) curves.push_back(quantity.seconds(scores.films, i));
      }
      const auto onset = drift_onset(curves, quantity.better == Better::higher ? 1 : -1);
      if (onset.second < 0) continue;
      sentences.push_back(cat(scores.arms.size() > 1 ? arm + ": " : "", quantity.name,
                              quantity.better == Better::higher ? " falls" : " rises",
                              " from second ", onset.second, " on: ", short_number(onset.first),
                              " in the first second, ", short_number(onset.last),
                              " in the last (change ", short_number(onset.change.mean, "%+.3g"),
                              " [", short_number(onset.change.low, "%+.3g"), ", ",
                              short_number(onset.change.high, "%+.3g"), "])"));
    }
  }
  return sentences;
}

std::string scores_table(const Scores& scores) {
  std::ostringstream out;
  std::size_t widest = 8;
  for (const auto& quantity : scores.quantities) widest = std::max(widest, quantity.name.size());
  for (const auto& arm : scores.arms) {
    const auto films = scores.count(arm);
    out << "\n"
        << (scores.arms.size() > 1 ? arm + ", " : "") << films
        << (films == 1 ? " film\n" : " films; mean [95 % bootstrap interval] over films\n");
    for (const auto& quantity : scores.quantities) {
      std::vector<double> values;
      for (std::size_t i = 0; i < scores.films.size(); ++i) {
        if (scores.films[i].arm == arm) values.push_back(quantity.films[i]);
      }
      const auto interval = bootstrap_interval(values, 0);
      const bool of_set = quantity.sets.contains(arm);
      if (!of_set && interval.count == 0) continue;
      auto number = short_number(quantity.mean(scores.films, arm));
      if (interval.count > 1)
        number += cat(" [", short_number(interval.low), ", ", short_number(interval.high), "]");
      out << "  " << padded(quantity.name, widest)
          << padded(quantity.unit == "1" ? "" : quantity.unit, 4) << padded(number, 30)
          << arrow(quantity.better) << "\n";
    }
    for (const auto& [name, value] : leaderboard_of(scores, arm).sums) {
      out << "  " << padded("vbench " + name, widest) << padded("", 4)
          << padded(short_number(value), 30) << "after VBench's normalisation\n";
    }
  }
  const auto sentences = drift_sentences(scores);
  if (!sentences.empty()) out << "\nDrift:\n";
  for (const auto& sentence : sentences) out << "  " << sentence << "\n";
  for (const auto& quantity : scores.quantities) {
    if (!quantity.measured())
      out << "\n" << quantity.name << " says nothing of these films (without --truth, perhaps)\n";
  }
  const auto broken = scores.broken_lines();
  if (!broken.empty()) out << "\nBroken, and not among the films above:\n";
  for (const auto& line : broken) out << "  " << line << "\n";
  if (!scores.missing.empty()) out << "\nMissing, for want of a file:\n";
  for (const auto& line : scores.missing) out << "  " << line << "\n";
  return out.str();
}

}  // namespace svi::eval
