#include <cmath>
#include <cstdio>
#include <map>
#include <sstream>

#include "export.hpp"
#include "svi/core/check.hpp"
#include "svi/metric/comparison.hpp"

namespace svi::eval {
namespace {

/// One line of the table.
struct ComparedQuantity {
  std::string name;
  Better better = Better::one;
  double a = 0, b = 0;  // means over the films of both
  PairedDifference difference = {};
};

/// Films of both results by name: the index in each.
std::vector<std::pair<std::size_t, std::size_t>> common_films(const Scores& a, const Scores& b) {
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < b.films.size(); ++i) known.emplace(b.films[i].name, i);
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t i = 0; i < a.films.size(); ++i) {
    if (const auto found = known.find(a.films[i].name); found != known.end())
      pairs.emplace_back(i, found->second);
  }
  return pairs;
}

std::string formatted(const char* format, double value) {
  if (std::isnan(value)) return "-";
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string verdict(const ComparedQuantity& line, double p, const std::string& a_name,
                    const std::string& b_name) {
  if (line.better == Better::one || std::isnan(p) || !(p < 0.05)) return "";
  const bool a_better = (line.difference.mean > 0) == (line.better == Better::higher);
  return (a_better ? a_name : b_name) + " is better";
}

}  // namespace

std::string compare_scores(const Scores& a, const std::string& a_name, const Scores& b,
                           const std::string& b_name) {
  const auto films = common_films(a, b);
  if (films.empty()) {
    raise<ConfigError>("--compare: ", a_name, " and ", b_name,
                       " have no film of the same name; films are paired by the names of their "
                       "files without folder and ending");
  }
  std::vector<ComparedQuantity> lines;
  std::vector<double> p;
  for (const auto& quantity : a.quantities) {
    const auto* other = b.find(quantity.name);
    if (other == nullptr) continue;
    std::vector<double> x, y;
    for (const auto& [i, j] : films) {
      x.push_back(quantity.films[i]);
      y.push_back(other->films[j]);
    }
    ComparedQuantity line{quantity.name, quantity.better};
    line.difference = paired_difference(x, y);
    if (line.difference.count == 0) continue;
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (std::isnan(x[k]) || std::isnan(y[k])) continue;
      line.a += x[k] / static_cast<double>(line.difference.count);
      line.b += y[k] / static_cast<double>(line.difference.count);
    }
    p.push_back(line.difference.p);
    lines.push_back(std::move(line));
  }
  if (lines.empty())
    raise<ConfigError>("--compare: ", a_name, " and ", b_name, " have no quantity in common");
  const auto corrected = holm(p);
  std::ostringstream out;
  out << "A = " << a_name << ", B = " << b_name << "; " << films.size()
      << " films in both; A - B [95 % interval, paired bootstrap], p after Holm\n";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& line = lines[i];
    char text[256];
    std::snprintf(
        text, sizeof text, "  %-28s %10s %10s   %s [%s, %s]   p = %s  ", line.name.c_str(),
        formatted("%.5g", line.a).c_str(), formatted("%.5g", line.b).c_str(),
        formatted("%+.4g", line.difference.mean).c_str(),
        formatted("%+.4g", line.difference.low).c_str(),
        formatted("%+.4g", line.difference.high).c_str(), formatted("%.3g", corrected[i]).c_str());
    out << text << verdict(line, corrected[i], "A", "B") << "\n";
  }
  return out.str();
}

}  // namespace svi::eval
