#include "svi/experiment/watch.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include "svi/core/check.hpp"
#include "svi/core/clock.hpp"
#include "svi/core/terminal.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr std::size_t kShownJobs =
    20;  // more running jobs than fit a window are counted, not shown
constexpr std::size_t kShownFinished = 4;

struct WatchedJob {
  std::string name, state, note;
  std::int64_t first_rank = -1, last_rank = -1, steps = 0, total = 0;
  double started = -1, ended = -1, remaining = -1;
};

/// progress.json, checked.
struct Progress {
  std::string experiment, size, state, message, host;
  std::int64_t pid = 0, ranks = 0;
  double heartbeat = 0, pace = 1, seconds = 0, remaining = -1;
  std::size_t done = 0;
  std::vector<WatchedJob> jobs;
};

double number_at(const nlohmann::json& json, const char* key) {
  const auto& value = json.at(key);
  return value.is_null() ? -1 : value.get<double>();
}

std::int64_t whole_at(const nlohmann::json& json, const char* key) {
  const auto& value = json.at(key);
  return value.is_null() ? -1 : value.get<std::int64_t>();
}

Progress parse(const std::string& text, const std::string& origin) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (const auto format = json.at("format").get<int>(); format > kFormat) {
      raise<IoError>(origin, ": is of format ", format, ", this version reads ", kFormat,
                     "; watch with the version that runs");
    }
    Progress progress;
    progress.experiment = json.at("experiment");
    progress.size = json.at("size");
    progress.state = json.at("state");
    progress.message = json.at("message");
    progress.host = json.at("host");
    progress.pid = json.at("pid");
    progress.ranks = json.at("ranks");
    progress.heartbeat = json.at("heartbeat_unix");
    progress.pace = json.at("pace_seconds");
    progress.seconds = json.at("seconds");
    progress.remaining = number_at(json, "remaining_seconds");
    for (const auto& each : json.at("jobs")) {
      WatchedJob job;
      job.name = each.at("name");
      job.state = each.at("state");
      job.note = each.at("note");
      job.first_rank = whole_at(each, "first_rank");
      job.last_rank = whole_at(each, "last_rank");
      job.steps = each.at("steps");
      job.total = each.at("total");
      job.started = number_at(each, "started_seconds");
      job.ended = number_at(each, "ended_seconds");
      job.remaining = number_at(each, "remaining_seconds");
      progress.done += job.state == "done" ? 1 : 0;
      progress.jobs.push_back(std::move(job));
    }
    return progress;
  } catch (const nlohmann::json::exception& error) {
    raise<IoError>(origin, ": is no progress of a run: ", error.what());
  }
}

std::optional<std::string> read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text + " ";
}

std::string ranks_of(const WatchedJob& job) {
  if (job.first_rank < 0) return "";
  if (job.first_rank == job.last_rank) return cat(job.first_rank);
  return cat(job.first_rank, "-", job.last_rank);
}

std::string headline(const Progress& progress) {
  auto text = cat(progress.experiment, progress.size.empty() ? "" : " at size " + progress.size,
                  ": ", progress.state, " on ", progress.ranks, " rank(s), ", progress.done, "/",
                  progress.jobs.size(), " jobs done after ", human_duration(progress.seconds));
  if (progress.state == "running" && progress.remaining >= 0)
    text += ", about " + human_duration(progress.remaining) + " left";
  return text;
}

std::string steps_of(const WatchedJob& job) {
  if (job.total <= 0) return "";
  return cat(job.steps, "/", job.total, " ", 100 * job.steps / job.total, " %");
}

/// A line that wraps, or fills the last column, would be two when it is wiped.
void add_line(std::string& table, const std::string& line, int columns) {
  table += fit_columns(line, columns - 1) + "\n";
}

std::string table_of(const Progress& progress, int columns) {
  std::size_t widest = 3, running = 0, waiting = 0;
  std::vector<const WatchedJob*> finished;
  for (const auto& job : progress.jobs) {
    if (job.state == "running") widest = std::max(widest, job.name.size());
    running += job.state == "running";
    waiting += job.state == "waiting";
    // Jobs that an earlier run had finished take no time in this one.
    if (job.state == "done") finished.push_back(&job);
  }
  std::sort(finished.begin(), finished.end(), [](const WatchedJob* a, const WatchedJob* b) {
    return a->ended != b->ended ? a->ended > b->ended : a < b;
  });
  std::string table;
  add_line(table, headline(progress), columns);
  if (running > 0) {
    add_line(table,
             "  " + padded("job", widest) + padded("ranks", 6) + padded("steps", 18) +
                 padded("left", 12) + "last value",
             columns);
  }
  std::size_t shown = 0;
  for (const auto& job : progress.jobs) {
    if (job.state != "running" || ++shown > kShownJobs) continue;
    add_line(table,
             "  " + padded(job.name, widest) + padded(ranks_of(job), 6) +
                 padded(steps_of(job), 18) +
                 padded(job.remaining < 0 ? "" : human_duration(job.remaining), 12) + job.note,
             columns);
  }
  if (running > kShownJobs) add_line(table, cat("  ", running - kShownJobs, " more"), columns);
  std::string last;
  for (std::size_t i = 0; i < std::min(finished.size(), kShownFinished); ++i) {
    last += cat(i == 0 ? "" : ", ", finished[i]->name, " (",
                human_duration(finished[i]->ended - finished[i]->started), ")");
  }
  add_line(table, cat("waiting: ", waiting, last.empty() ? "" : "; finished last: ", last),
           columns);
  return table;
}

/// Says what happened since the last look, a line each.
class Lines {
 public:
  explicit Lines(std::ostream& out, double interval) : out_(out), interval_(interval) {}

  void show(const Progress& progress) {
    for (const auto& job : progress.jobs) {
      auto& before = states_[job.name];
      if (before == job.state) continue;
      before = job.state;
      if (job.state == "running")
        out_ << "job " << job.name << " runs on rank " << ranks_of(job) << "\n";
      if (job.state == "done") {
        out_ << "job " << job.name << " finished in " << human_duration(job.ended - job.started)
             << (job.note.empty() ? "" : ", " + job.note) << "\n";
      }
    }
    if (progress.state != state_ || watch_.seconds() >= next_) {
      out_ << headline(progress);
      for (const auto& job : progress.jobs) {
        if (job.state == "running" && job.total > 0)
          out_ << " | " << job.name << " " << steps_of(job) << " " << job.note;
      }
      out_ << "\n";
      state_ = progress.state;
      next_ = watch_.seconds() + interval_;
    }
    out_ << std::flush;
  }

 private:
  std::ostream& out_;
  double interval_, next_ = 0;
  Stopwatch watch_;
  std::string state_;
  std::map<std::string, std::string> states_;
};

/// Tells a run that is at work from one that died, by its heartbeat as seen from here: clocks of
/// two hosts need not agree.
class Pulse {
 public:
  explicit Pulse(double silence) : silence_(silence) { gethostname(host_, sizeof host_ - 1); }

  bool stopped(const Progress& progress) {
    if (progress.heartbeat != last_) {
      last_ = progress.heartbeat;
      since_ = Stopwatch();
      return false;
    }
    const double quiet = since_.seconds();
    if (progress.host == host_ && quiet > 2 * progress.pace) {
      const bool gone = kill(static_cast<pid_t>(progress.pid), 0) != 0 && errno == ESRCH;
      if (gone) return true;
    }
    // Merging large results is one step without a heartbeat.
    const double patience = progress.state == "merging" ? 20 * silence_ : silence_;
    return quiet > patience + 3 * progress.pace;
  }

  double quiet() const { return since_.seconds(); }

 private:
  double silence_, last_ = -1;
  Stopwatch since_;
  char host_[256] = {};
};

class Screen {
 public:
  Screen(std::ostream& out, const WatchOptions& options)
      : out_(out), options_(options), lines_(out, options.line_seconds) {}

  void show(const Progress& progress) {
    if (!options_.redraw) return lines_.show(progress);
    auto table = table_of(progress, options_.columns);
    if (table == shown_) return;
    for (; drawn_ > 0; --drawn_) out_ << "\x1b[1A\x1b[2K";
    drawn_ = std::count(table.begin(), table.end(), '\n');
    out_ << table << std::flush;
    shown_ = std::move(table);
  }

  void say(const std::string& text) {
    drawn_ = 0;
    out_ << text << "\n" << std::flush;
  }

 private:
  std::ostream& out_;
  const WatchOptions& options_;
  Lines lines_;
  std::ptrdiff_t drawn_ = 0;  // lines of the table on the screen
  std::string shown_;
};

/// A run that was finished before there was a progress.json, or whose file was deleted.
bool has_result(const fs::path& folder) {
  const auto name = fs::absolute(folder).lexically_normal().filename().string();
  return fs::exists(folder / "summary.json") && fs::exists(folder / (name + ".h5"));
}

}  // namespace

std::string progress_table(const std::string& json, int columns) {
  return table_of(parse(json, "progress.json"), columns);
}

WatchEnd watch_run(const fs::path& folder, const WatchOptions& options) {
  Screen screen(options.out != nullptr ? *options.out : std::cout, options);
  const auto path = folder / "progress.json";
  const Stopwatch watch;
  Pulse pulse(options.silence_seconds);
  bool told = false;
  for (;; std::this_thread::sleep_for(std::chrono::duration<double>(options.poll_seconds))) {
    const auto text = read(path);
    if (!text) {
      if (has_result(folder)) {
        screen.say(folder.string() + ": complete; see summary.json");
        return WatchEnd::complete;
      }
      if (!told) screen.say("waiting for " + path.string() + ": the run has not begun");
      told = true;
      if (options.patience_seconds >= 0 && watch.seconds() > options.patience_seconds)
        return WatchEnd::never_began;
      continue;
    }
    const auto progress = parse(*text, path.string());
    screen.show(progress);
    if (progress.state == "complete") return WatchEnd::complete;
    if (progress.state == "stopped") {
      screen.say(
          cat("the run was stopped ", progress.message, "; start it again with --resume to go on"));
      return WatchEnd::stopped;
    }
    if (progress.state == "failed") {
      screen.say("the run failed: " + progress.message);
      return WatchEnd::aborted;
    }
    if (pulse.stopped(progress)) {
      screen.say(cat("the run was aborted: process ", progress.pid, " on ", progress.host,
                     " has shown no sign of life for ", human_duration(pulse.quiet()),
                     "; start it again with --resume to go on"));
      return WatchEnd::aborted;
    }
  }
}

}  // namespace svi
