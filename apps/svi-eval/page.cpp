#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <sstream>

#include "export.hpp"
#include "moments.hpp"
#include "svi/core/check.hpp"
#include "svi/metric/drift.hpp"

namespace svi::eval {
namespace {

namespace fs = std::filesystem;

constexpr double kPlotWidth = 560, kPlotHeight = 150, kMargin = 46;
constexpr const char* kArmColors[] = {"#4269d0", "#ff725c", "#3ca951", "#a463f2", "#9c6b4e"};

constexpr const char* kPageStyle = R"(<style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 1rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
td.n { font-variant-numeric: tabular-nums; }
svg { max-width: 100%; height: auto; } svg text { font-size: 11px; fill: currentColor; }
figure { display: inline-block; margin: .4rem 1rem .4rem 0; } video { max-width: 280px; width: 100%; }
figcaption { font-size: 13px; max-width: 280px; overflow-wrap: anywhere; }
</style>
)";

/// A text as content or attribute of HTML.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += letter;
    }
  }
  return out;
}

/// A path as a relative address: what is no plain letter becomes %XX.
std::string address(const fs::path& path) {
  std::string out;
  for (const unsigned char letter : path.generic_string()) {
    if (std::isalnum(letter) != 0 ||
        std::string("/._-~").find(static_cast<char>(letter)) != std::string::npos) {
      out += static_cast<char>(letter);
    } else {
      char code[8];
      std::snprintf(code, sizeof code, "%%%02X", letter);
      out += code;
    }
  }
  return out;
}

std::string digits(double value, const char* format = "%.4g") {
  if (std::isnan(value)) return "–";
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// The curves of one arm over time: mean and interval over its films.
struct Band {
  std::vector<double> mean, low, high;
};

Band band_of(const Scores& scores, const ScoredQuantity& quantity, const std::string& arm,
             bool by_second) {
  Band band;
  for (const auto& column : scores.columns(quantity, arm, by_second)) {
    const auto interval = bootstrap_interval(column, 0, 500);
    band.mean.push_back(interval.mean);
    band.low.push_back(interval.low);
    band.high.push_back(interval.high);
  }
  return band;
}

/// Pixels of a plot: x from 0 to `length` - 1, y from `low` to `high`.
struct PlotFrame {
  std::size_t length = 1;
  double low = 0, high = 1;

  double x(std::size_t t) const {
    const auto last = static_cast<double>(std::max<std::size_t>(length, 2) - 1);
    return kMargin + static_cast<double>(t) / last * (kPlotWidth - kMargin - 8);
  }
  double y(double value) const { return 8 + (high - value) / (high - low) * (kPlotHeight - 30); }
};

PlotFrame frame_of(const std::vector<Band>& bands) {
  PlotFrame frame{1, std::numeric_limits<double>::infinity(),
                  -std::numeric_limits<double>::infinity()};
  for (const auto& band : bands) {
    frame.length = std::max(frame.length, band.mean.size());
    for (const auto* values : {&band.low, &band.mean, &band.high}) {
      for (const double value : *values) {
        if (!std::isfinite(value)) continue;
        frame.low = std::min(frame.low, value);
        frame.high = std::max(frame.high, value);
      }
    }
  }
  if (!(frame.high > frame.low)) {
    frame.low -= 0.5;
    frame.high += 0.5;
  }
  return frame;
}

void draw_band(std::ostream& out, const PlotFrame& frame, const Band& band, const char* color) {
  std::ostringstream line, area;
  for (std::size_t t = 0; t < band.mean.size(); ++t) {
    if (std::isfinite(band.mean[t])) line << frame.x(t) << ',' << frame.y(band.mean[t]) << ' ';
    if (std::isfinite(band.high[t])) area << frame.x(t) << ',' << frame.y(band.high[t]) << ' ';
  }
  for (std::size_t t = band.mean.size(); t-- > 0;) {
    if (std::isfinite(band.low[t])) area << frame.x(t) << ',' << frame.y(band.low[t]) << ' ';
  }
  out << "<polygon points=\"" << area.str() << "\" fill=\"" << color << "\" opacity=\".2\"/>"
      << "<polyline points=\"" << line.str() << "\" fill=\"none\" stroke=\"" << color
      << "\" stroke-width=\"1.6\"/>";
}

void draw_curves(std::ostream& out, const Scores& scores, const ScoredQuantity& quantity) {
  bool by_second = false;
  for (std::size_t i = 0; i < scores.films.size(); ++i)
    by_second = by_second || !quantity.seconds(scores.films, i).empty();
  std::vector<Band> bands;
  for (const auto& arm : scores.arms) bands.push_back(band_of(scores, quantity, arm, by_second));
  const auto frame = frame_of(bands);
  if (frame.length < 2) return;
  out << "<svg viewBox=\"0 0 " << kPlotWidth << ' ' << kPlotHeight << "\" width=\"" << kPlotWidth
      << "\" role=\"img\" aria-label=\"" << escaped(quantity.name) << " over time\">";
  for (const double value : {frame.low, frame.high}) {
    out << "<text x=\"2\" y=\"" << frame.y(value) + 4 << "\">" << digits(value, "%.3g")
        << "</text><line x1=\"" << kMargin << "\" x2=\"" << kPlotWidth - 8 << "\" y1=\""
        << frame.y(value) << "\" y2=\"" << frame.y(value)
        << "\" stroke=\"currentColor\" opacity=\".25\"/>";
  }
  for (std::size_t a = 0; a < bands.size(); ++a)
    draw_band(out, frame, bands[a], kArmColors[a % std::size(kArmColors)]);
  out << "<text x=\"" << kMargin << "\" y=\"" << kPlotHeight - 4 << "\">0</text><text x=\""
      << kPlotWidth - 8 << "\" y=\"" << kPlotHeight - 4 << "\" text-anchor=\"end\">"
      << frame.length - 1 << (by_second ? " s" : " clips") << "</text></svg>\n";
  if (scores.arms.size() < 2) return;
  out << "<p>";
  for (std::size_t a = 0; a < scores.arms.size(); ++a) {
    out << "<span style=\"color:" << kArmColors[a % std::size(kArmColors)] << "\">■</span> "
        << escaped(scores.arms[a]) << "&ensp;";
  }
  out << "</p>\n";
}

/// Bytes as an address that holds them (RFC 2397, RFC 4648).
std::string picture_address(const std::string& jpeg) {
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out = "data:image/jpeg;base64,";
  for (std::size_t i = 0; i < jpeg.size(); i += 3) {
    const auto count = std::min<std::size_t>(jpeg.size() - i, 3);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < count ? static_cast<unsigned char>(jpeg[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out += k <= count ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

void show_moments(std::ostream& out, const Scores& scores, const std::vector<WorstMoment>& moments,
                  const Pictures& pictures, const fs::path& folder) {
  for (const auto& moment : moments) {
    const auto& film = scores.films[moment.film];
    const auto second = static_cast<double>(moment.frame) / film.fps;
    const auto picture = pictures.find({moment.film, moment.frame});
    out << "<figure><video controls muted preload=\"none\"";
    if (picture != pictures.end()) out << " poster=\"" << picture_address(picture->second) << "\"";
    out << " src=\"" << address(fs::path(film.path).lexically_relative(folder))
        << "#t=" << digits(second, "%.2f") << "\"></video><figcaption>" << escaped(film.name)
        << ", worst at " << digits(second, "%.2f") << " s: " << digits(moment.value)
        << "</figcaption></figure>\n";
  }
}

void write_list(std::ostream& out, const char* title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  out << "<h2>" << title << "</h2>\n<ul>\n";
  for (const auto& line : lines) out << "<li>" << escaped(line) << "</li>\n";
  out << "</ul>\n";
}

void write_means(std::ostream& out, const Scores& scores) {
  out << "<table><tr><th>quantity</th><th>unit</th>";
  for (const auto& arm : scores.arms) out << "<th>" << escaped(arm) << "</th>";
  out << "<th></th></tr>\n";
  for (const auto& quantity : scores.quantities) {
    if (!quantity.measured()) continue;
    out << "<tr title=\"" << escaped(quantity.meaning) << "\"><td>" << escaped(quantity.name)
        << "</td><td>" << escaped(quantity.unit == "1" ? "" : quantity.unit) << "</td>";
    for (const auto& arm : scores.arms)
      out << "<td class=\"n\">" << digits(quantity.mean(scores.films, arm)) << "</td>";
    out << "<td>"
        << (quantity.better == Better::higher  ? "higher is better"
            : quantity.better == Better::lower ? "lower is better"
                                               : "best at 1")
        << "</td></tr>\n";
  }
  out << "</table>\n";
}

}  // namespace

std::string scores_page(const Scores& scores, const fs::path& page) {
  const auto folder = fs::weakly_canonical(fs::absolute(page)).parent_path();
  const auto moments = worst_moments(scores);
  const auto pictures = moment_pictures(scores, moments);
  std::size_t count = 0;
  for (const auto& arm : scores.arms) count += scores.count(arm);
  std::ostringstream out;
  out << "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
      << "<meta name=\"viewport\" content=\"width=device-width\"><title>svi-eval: " << count
      << " films</title>\n"
      << kPageStyle << "</head>\n<body>\n<h1>" << count << " films</h1>\n";
  write_means(out, scores);
  write_list(out, "Where films begin to drift", drift_sentences(scores));
  write_list(out, "Broken, and not among the films above", scores.broken_lines());
  write_list(out, "Missing, for want of a file", scores.missing);
  for (std::size_t q = 0; q < scores.quantities.size(); ++q) {
    const auto& quantity = scores.quantities[q];
    if (!quantity.measured() || (quantity.frames.empty() && quantity.clips.empty())) continue;
    out << "<h2>" << escaped(quantity.name) << "</h2>\n<p>" << escaped(quantity.meaning)
        << "</p>\n";
    draw_curves(out, scores, quantity);
    show_moments(out, scores, moments[q], pictures, folder);
  }
  std::vector<std::string> facts;
  for (const auto& [name, value] : scores.facts) facts.push_back(name + ": " + value);
  write_list(out, "Provenance", facts);
  out << "</body>\n</html>\n";
  return out.str();
}

}  // namespace svi::eval
