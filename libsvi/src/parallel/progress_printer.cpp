#include "progress_printer.hpp"

#include <unistd.h>

#include <iostream>

#include "svi/core/check.hpp"
#include "svi/core/terminal.hpp"

namespace svi {

namespace {

using Style = ProgressOptions::Style;

constexpr double kRedrawSeconds = 0.5;
constexpr int kBlockJobs = 12;  // more running jobs than fit a small window are counted, not shown

std::string describe(const JobSchedule& schedule, const JobSchedule::Job& job) {
  std::string text = job.spec.name;
  if (job.total > 0) text += cat(" ", job.steps, "/", job.total);
  if (!job.note.empty()) text += " " + job.note;
  if (const double left = schedule.remaining_seconds(job); left >= 0)
    text += ", " + human_duration(left) + " left";
  return text;
}

std::string summary(const JobSchedule& schedule) {
  auto text = cat(schedule.done(), "/", schedule.jobs().size(), " jobs done after ",
                  human_duration(schedule.seconds()));
  if (const double left = schedule.remaining_seconds(); left >= 0 && !schedule.all_done()) {
    text += ", about " + human_duration(left) + " left";
  }
  return text;
}

}  // namespace

ProgressPrinter::ProgressPrinter(const ProgressOptions& options)
    : own_(options.out != nullptr),
      out_(options.out != nullptr ? *options.out : std::cerr),
      style_(options.style),
      interval_(options.interval_seconds),
      next_(interval_) {
  if (style_ == Style::automatic)
    style_ = options.out == nullptr && isatty(2) != 0 ? Style::block : Style::lines;
}

void ProgressPrinter::wipe() {
  for (; drawn_ > 0; --drawn_) out_ << "\x1b[1A\x1b[2K";
}

void ProgressPrinter::line(const std::string& text) {
  if (style_ == Style::silent) return;
  wipe();
  out_ << text << "\n" << std::flush;
}

void ProgressPrinter::started(const JobSchedule& schedule, std::size_t job,
                              const std::string& ranks) {
  if (style_ == Style::lines)
    line(cat("job ", schedule.jobs()[job].spec.name, " started on ", ranks));
}

void ProgressPrinter::finished(const JobSchedule& schedule, std::size_t job) {
  const auto& ended = schedule.jobs()[job];
  line(cat("job ", ended.spec.name, " finished in ", human_duration(ended.ended - ended.started),
           " (", schedule.done(), "/", schedule.jobs().size(), ")"));
}

void ProgressPrinter::draw(const JobSchedule& schedule) {
  wipe();
  int running = 0;
  // A line that wraps, or fills the last column, would be two when it is wiped.
  const auto columns = (own_ ? 80 : terminal_columns(STDERR_FILENO)) - 1;
  for (const auto& job : schedule.jobs()) {
    if (job.state != JobSchedule::State::running || ++running > kBlockJobs) continue;
    out_ << fit_columns("  " + describe(schedule, job), columns) << "\n";
    ++drawn_;
  }
  auto text = summary(schedule);
  if (running > kBlockJobs) text += cat(", ", running - kBlockJobs, " more running");
  out_ << fit_columns(text, columns) << "\n" << std::flush;
  ++drawn_;
}

void ProgressPrinter::tick(const JobSchedule& schedule) {
  if (style_ == Style::silent || schedule.seconds() < next_) return;
  if (style_ == Style::block) {
    next_ = schedule.seconds() + kRedrawSeconds;
    return draw(schedule);
  }
  next_ = schedule.seconds() + interval_;
  auto text = summary(schedule);
  for (const auto& job : schedule.jobs()) {
    if (job.state == JobSchedule::State::running) text += " | " + describe(schedule, job);
  }
  line(text);
}

void ProgressPrinter::end(const JobSchedule& schedule) {
  if (!schedule.jobs().empty()) line(summary(schedule));
}

}  // namespace svi
