#pragma once

#include <filesystem>
#include <iosfwd>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// How a run is followed.
struct WatchOptions {
  std::ostream* out = nullptr;  // null: standard output
  bool redraw = false;        // draw in place, as on a terminal; else lines where something happens
  int columns = 80;           // of that terminal
  double poll_seconds = 0.5;  // between looks at the file
  double line_seconds = 30;   // between lines where nothing happens
  double silence_seconds = 60;   // without a heartbeat, a run on another host is taken for dead
  double patience_seconds = -1;  // to wait for a run to begin; negative: for ever
};

/// How a watched run ended.
enum class WatchEnd { complete, stopped, aborted, never_began };

/// Follows a run by the progress.json in its result folder, from another process and without MPI,
/// until it ends. The run may be on another host, and may not have begun. A run on this host is
/// taken for dead when its process is gone, any other when its heartbeat stands still. Throws
/// IoError if progress.json is none, or of a newer format.
SVI_EXPORT WatchEnd watch_run(const std::filesystem::path& folder,
                              const WatchOptions& options = {});

/// The table of one progress.json, for a terminal that wide. Throws IoError as `watch_run`.
SVI_EXPORT std::string progress_table(const std::string& json, int columns);

}  // namespace svi
