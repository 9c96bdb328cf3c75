#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "svi/config/document.hpp"
#include "svi/plugin/registry.hpp"

namespace svi::eval {

/// What is measured: one set of videos, or the results of a run, which has sets of its own.
struct Films {
  std::filesystem::path run;        // of a run; empty: `videos`
  std::vector<std::string> videos;  // absolute paths, in the order given
};

/// Looks at what the paths name. Throws ConfigError where a path names no video.
Films find_films(const std::vector<std::string>& paths);

/// The metrics that names and groups stand for, in the order of the registry, with the plugins they
/// come from. Throws ConfigError for a name that is none.
std::vector<std::string> chosen_metrics(const Registry& registry,
                                        const std::vector<std::string>& names);

/// How plugins were named on the command line, by their own names: those outside the folders that
/// are searched can be found by their path alone.
using PluginWords = std::map<std::string, std::string>;

/// In the folder that the measurement works in: the file that names its videos.
inline constexpr const char* kVideoList = "videos.txt";

/// The measurement as an experiment whose results lie in `folder`.
Document experiment_of(const Arguments& arguments, const Films& films, const Registry& registry,
                       const PluginWords& words, const std::filesystem::path& folder);

}  // namespace svi::eval
