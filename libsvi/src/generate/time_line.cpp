#include "svi/generate/time_line.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdio>

#include "svi/core/base64.hpp"
#include "svi/core/check.hpp"
#include "svi/core/printable.hpp"
#include "svi/generate/prompt_blend.hpp"
#include "svi/io/picture.hpp"

namespace svi {
namespace {

constexpr std::size_t kMostLines = 200, kMostCells = 400;
constexpr int kCellWidth = 240, kCellHeight = 250, kColumns = 4, kPicture = 130;  // pixels
constexpr std::size_t kLineLetters = 36, kPromptLines = 5;

/// "0:05.0", "12:30.5".
std::string clock_time(double seconds) {
  const auto tenths = std::llround(seconds * 10);
  char text[40];
  std::snprintf(text, sizeof text, "%lld:%02lld.%lld", tenths / 600, tenths / 10 % 60, tenths % 10);
  return text;
}

std::string clips_text(const TimeLineEntry& entry) {
  if (entry.clips == 1) return cat("clip ", entry.first_clip + 1);
  return cat("clips ", entry.first_clip + 1, "-", entry.first_clip + entry.clips);
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text, 2000)) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

/// The words of a text in lines of a cell's width; what has no room is left out.
std::vector<std::string> wrapped(std::string_view text) {
  std::vector<std::string> lines(1);
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    if (!lines.back().empty() && lines.back().size() + word.size() >= kLineLetters) {
      if (lines.size() == kPromptLines) {
        lines.back() += " ...";
        return lines;
      }
      lines.emplace_back();
    }
    lines.back() += (lines.back().empty() ? "" : " ") + word;
  }
  return lines;
}

std::string text_at(int x, int y, const char* style, const std::string& text) {
  return cat("<text x=\"", x, "\" y=\"", y, "\" class=\"", style, "\">", escaped(text),
             "</text>\n");
}

}  // namespace

std::vector<TimeLineEntry> time_line(
    const Storyboard& storyboard, std::int64_t clips, double fps,
    const std::function<std::int64_t(std::int64_t)>& frames_before) {
  std::vector<TimeLineEntry> entries;
  std::string last;
  const auto seconds_before = [&](std::int64_t clip) {
    return static_cast<double>(frames_before(clip)) / fps;
  };
  for (std::int64_t c = 0; c < clips; ++c) {
    const auto order = storyboard.clip(c);
    if (!entries.empty() && !order.cut && order.prompt == last &&
        order.seed == entries.back().seed) {
      entries.back().clips += 1;
      continue;
    }
    last = order.prompt;
    TimeLineEntry entry{.first_clip = c,
                        .clips = 1,
                        .begin = seconds_before(c),
                        .how = c == 0 ? "start" : (order.cut ? "cut" : "continue"),
                        .prompt = order.prompt,
                        .image = order.image,
                        .seed = order.seed};
    if (const auto blend = blend_of(order.prompt)) {
      entry.how = cat("blend ", blend->step, "/", blend->steps);
      entry.prompt = blend->to;
    }
    if (!entries.empty()) entries.back().end = entry.begin;
    entries.push_back(std::move(entry));
  }
  if (!entries.empty()) entries.back().end = seconds_before(clips);
  return entries;
}

std::string time_line_text(const std::vector<TimeLineEntry>& entries) {
  std::ostringstream out;
  for (std::size_t i = 0; i < std::min(entries.size(), kMostLines); ++i) {
    const auto& entry = entries[i];
    out << "  " << clock_time(entry.begin) << " - " << clock_time(entry.end) << "  "
        << clips_text(entry) << "  " << entry.how;
    if (!entry.image.empty()) out << " to " << printable(entry.image, 60);
    if (entry.seed) out << ", seed " << *entry.seed;
    out << ": " << printable(entry.prompt, 100) << "\n";
  }
  if (entries.size() > kMostLines) out << "  and " << entries.size() - kMostLines << " more\n";
  return out.str();
}

std::string contact_sheet(const std::string& title, const std::vector<TimeLineEntry>& entries,
                          const std::function<at::Tensor(const TimeLineEntry&)>& image) {
  const auto shown = std::min(entries.size(), kMostCells);
  const auto rows = static_cast<int>((shown + kColumns - 1) / kColumns);
  const int width = kColumns * kCellWidth + 20, height = rows * kCellHeight + 60;
  std::ostringstream out;
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width << "\" height=\"" << height
      << "\" viewBox=\"0 0 " << width << " " << height << "\">\n"
      << "<style>text{font:12px sans-serif;fill:#222}.t{font:bold 16px sans-serif}"
         ".h{font-weight:bold}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
      << text_at(20, 32, "t", title);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& entry = entries[i];
    const int x = 20 + static_cast<int>(i % kColumns) * kCellWidth,
              y = 50 + static_cast<int>(i / kColumns) * kCellHeight;
    if (const auto picture = image(entry); picture.defined()) {
      out << "<image x=\"" << x << "\" y=\"" << y << "\" width=\"" << kCellWidth - 20
          << "\" height=\"" << kPicture
          << "\" preserveAspectRatio=\"xMinYMid meet\" href=\"data:image/png;base64,"
          << base64(png_picture(picture)) << "\"/>\n";
    } else {
      out << "<rect x=\"" << x << "\" y=\"" << y << "\" width=\"" << kCellWidth - 20
          << "\" height=\"" << kPicture << "\" fill=\"#eee\"/>\n";
    }
    out << text_at(x, y + kPicture + 18, "h",
                   cat(clock_time(entry.begin), " - ", clock_time(entry.end), "  ", entry.how))
        << text_at(x, y + kPicture + 34, "n",
                   cat(clips_text(entry), entry.seed ? cat(", seed ", *entry.seed) : ""));
    int line = y + kPicture + 52;
    for (const auto& words : wrapped(entry.prompt)) {
      out << text_at(x, line, "n", words);
      line += 15;
    }
  }
  out << "</svg>\n";
  return out.str();
}

}  // namespace svi
