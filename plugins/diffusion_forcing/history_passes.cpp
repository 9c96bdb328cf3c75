#include "diffusion_forcing/history_passes.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <svi/core/check.hpp>

namespace forcing {
namespace {

using svi::ConfigError;
using svi::raise;

constexpr double kNoWeight = 1e-12;  // what rounding leaves of weights that cancel

/// The levels of a whole history in the two passes of a segment.
void levels_of(const HistorySegment& segment, const std::vector<bool>& made,
               std::vector<double>& start, std::vector<double>& end) {
  const auto h = static_cast<std::int64_t>(made.size());
  start.assign(made.size(), 1);
  end.assign(made.size(), 1);
  auto frames = segment.frames;
  if (frames.empty()) {
    for (std::int64_t f = 0; f < h; ++f) frames.push_back(f);
  }
  for (const auto named : frames) {
    const auto frame = named < 0 ? h + named : named;
    if (frame < 0 || frame >= h) {
      raise<ConfigError>("[method] subsequences: there is no frame ", named, " in a history of ", h,
                         " latent frames; set context, or name frames from ", -h, " to ", h - 1);
    }
    const auto i = static_cast<std::size_t>(frame);
    start[i] = made[i] ? segment.start_if_made : segment.start;
    end[i] = segment.end;
  }
}

}  // namespace

std::vector<HistoryPass> passes_of(const HistoryScheme& scheme, const std::vector<bool>& made) {
  std::vector<HistoryPass> passes;
  const auto add = [&](const std::vector<double>& levels, bool drop, double weight) {
    const auto twin = std::find_if(passes.begin(), passes.end(), [&](const HistoryPass& pass) {
      return pass.drop == drop && pass.levels == levels;
    });
    if (twin != passes.end()) {
      twin->weight += weight;
    } else {
      passes.push_back({levels, drop, weight});
    }
  };
  std::vector<double> start, end;
  add(std::vector<double>(made.size(), 1), scheme.drop_condition, 1);
  for (const auto& segment : scheme.segments) {
    levels_of(segment, made, start, end);
    add(start, false, segment.weight);
    add(end, scheme.drop_condition, -segment.weight);
  }
  passes.erase(
      std::remove_if(passes.begin(), passes.end(),
                     [](const HistoryPass& pass) { return std::abs(pass.weight) < kNoWeight; }),
      passes.end());
  return passes;
}

std::vector<std::int64_t> frame_indices(const std::string& text, const char* option) {
  std::vector<std::int64_t> indices;
  if (text == "all") return indices;
  const auto* next = text.data();
  const auto* end = next + text.size();
  for (;;) {
    std::int64_t index = 0;
    const auto read = std::from_chars(next, end, index);
    const bool more = read.ec == std::errc() && read.ptr != end && *read.ptr == '+';
    if (read.ec != std::errc() || (read.ptr != end && !more)) {
      raise<ConfigError>("[method] ", option, ": '", text,
                         "' is no list of frames; write all, or indices joined by +, negative ones "
                         "from the end, such as 0+-1");
    }
    indices.push_back(index);
    if (!more) return indices;
    next = read.ptr + 1;
  }
}

}  // namespace forcing
