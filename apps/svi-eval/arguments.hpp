#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace svi::eval {

enum class Layout { svi, vbench };

/// The command line of svi-eval.
struct Arguments {
  std::vector<std::string> paths;     // of films
  std::vector<std::string> metrics;   // names and groups
  std::vector<std::string> out;       // files, by their ending
  std::vector<std::string> settings;  // metric.NAME.key=value
  std::vector<std::string> plugins;
  std::string truth, against, prompts, weights, cache, page;
  std::vector<std::string> compared;  // two result files
  std::int64_t clip_frames = 0;       // 0: as the runner's default
  std::int64_t threads = 1;           // of each rank
  double fps = 0;
  std::string colors = "exact", matrix = "tagged";
  Layout layout = Layout::svi;
  bool strict = false;  // a broken film ends the run
  bool list = false, help = false, version = false, verbose = false;
};

/// Throws ConfigError for anything that cannot be meant.
Arguments parse_arguments(int argc, char** argv);

/// What --help prints.
std::string usage();

}  // namespace svi::eval
