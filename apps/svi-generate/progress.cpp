#include "progress.hpp"

#include <unistd.h>

#include <chrono>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "svi/core/clock.hpp"
#include "svi/core/terminal.hpp"

namespace svi::generate {

namespace {

using Phase = FilmProgress::Phase;

constexpr double kRedrawSeconds = 0.2, kLineSeconds = 30;
constexpr double kSamplingShare = 0.9;  // of a clip's time, until one has been made

/// Where there is no room for all, how far the film is goes before its name.
std::string fitted_progress(const std::string& name, const std::string& text, int columns) {
  const auto all = name + ": " + text;
  return fit_columns(all, columns) == all ? all : fit_columns(text, columns);
}

}  // namespace

ProgressLine::ProgressLine(std::string name, bool terminal)
    : name_(std::move(name)), terminal_(terminal), started_(0) {
  started_ = now();
}

ProgressLine::~ProgressLine() {
  if (drew_) std::cerr << std::endl;
}

double ProgressLine::now() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string ProgressLine::text(const FilmProgress& p) const {
  std::ostringstream out;
  out << "clip " << p.clip + 1 << "/" << p.clips;
  if (p.phase == Phase::joining) {
    out << "  joining";
    return out.str();
  }
  out << (p.phase == Phase::sampling ? "  step " : "  decoding ") << p.done << "/" << p.all;
  const auto elapsed = now() - started_;
  if (clips_made_ > 0.02) {
    const auto per_clip = elapsed / clips_made_;
    const auto left = static_cast<double>(p.clips - p.clip) - fraction_;
    out << "  " << human_duration(per_clip) << " per clip, " << human_duration(per_clip * left)
        << " left";
  }
  return out.str();
}

void ProgressLine::show(const FilmProgress& p) {
  if (p.phase == Phase::joining && !terminal_) return;
  if (first_clip_ < 0) first_clip_ = p.clip;
  const bool new_clip = p.clip != clip_;
  clip_ = p.clip;
  const auto share = p.all > 0 ? static_cast<double>(p.done) / static_cast<double>(p.all) : 0;
  fraction_ = p.phase == Phase::sampling ? kSamplingShare * share
                                         : kSamplingShare + (1 - kSamplingShare) * share;
  clips_made_ = static_cast<double>(p.clip - first_clip_) + fraction_;
  const auto pause = terminal_ ? kRedrawSeconds : kLineSeconds;
  if (!new_clip && now() - drawn_ < pause) return;
  if (new_clip && terminal_ && now() - drawn_ < kRedrawSeconds) return;
  drawn_ = now();
  if (terminal_) {
    // A line that wraps, or fills the last column, would not be drawn over.
    std::cerr << "\r\033[K" << fitted_progress(name_, text(p), terminal_columns(STDERR_FILENO) - 1)
              << std::flush;
    drew_ = true;
  } else {
    std::cerr << name_ << ": " << text(p) << std::endl;
  }
}

}  // namespace svi::generate
