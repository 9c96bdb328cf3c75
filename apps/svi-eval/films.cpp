#include "films.hpp"

#include <algorithm>
#include <set>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/data/video_names.hpp"
#include "svi/experiment/overrides.hpp"
#include "svi/measure/score_cache.hpp"
#include "svi/metric/metric.hpp"

namespace svi::eval {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFree = "free";
constexpr const char* kAll = "all";
constexpr const char* kBuiltIn = "built-in";  // the origin of a component of the library

/// The folder of results that a path names; empty if it names none.
fs::path run_folder(const fs::path& path) {
  const auto folder = path.extension() == ".h5" ? path.parent_path() : path;
  return fs::is_directory(folder / "videos") ? folder : fs::path();
}

std::vector<fs::path> videos_in(const fs::path& folder) {
  std::vector<fs::path> videos;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (entry.is_regular_file() && name.front() != '.' && is_video(entry.path()))
      videos.push_back(entry.path());
  }
  std::sort(videos.begin(), videos.end());
  return videos;
}

std::vector<fs::path> videos_of(const std::string& text) {
  const fs::path path = text;
  if (fs::is_directory(path)) return videos_in(path);
  if (!fs::exists(path)) return videos_matching(text);
  if (path.extension() == ".txt") return listed_videos(text, path);
  if (is_video(path)) return {path};
  raise<ConfigError>(text, ": is no video, no list (.txt) and no result of a run; videos end in ",
                     kVideoEndings);
}

/// A plugin's name out of "name version".
std::string plugin_of(const Registration& registration) {
  return registration.origin.substr(0, registration.origin.find(' '));
}

/// Plugins that bring a world of their own: their metrics look for what is drawn there, and say
/// nothing of other films.
std::set<std::string> plugins_of_worlds(const Registry& registry) {
  std::set<std::string> plugins;
  const auto worlds = registry.kinds().find(std::string(ClipSource::kKind));
  if (worlds == registry.kinds().end()) return plugins;
  for (const auto& [name, registration] : worlds->second) plugins.insert(plugin_of(registration));
  plugins.erase(kBuiltIn);
  return plugins;
}

bool needs_file(const Registration& registration) {
  const auto made = registration.make(nullptr, nullptr);
  return !static_cast<const Metric&>(*made).needs().empty();
}

}  // namespace

Films find_films(const std::vector<std::string>& paths) {
  Films films;
  if (paths.size() == 1) films.run = run_folder(paths[0]);
  if (!films.run.empty()) return films;
  std::set<fs::path> known;
  for (const auto& path : paths) {
    const auto videos = videos_of(path);
    if (videos.empty()) {
      raise<ConfigError>(path,
                         ": no video is there; name a video, a folder of them, a pattern such ",
                         "as 'films/*.mp4', a list (.txt), or the results of a run; videos end in ",
                         kVideoEndings);
    }
    for (const auto& video : videos) {
      const auto absolute = fs::weakly_canonical(fs::absolute(video));
      if (known.insert(absolute).second) films.videos.push_back(absolute.string());
    }
  }
  return films;
}

std::vector<std::string> chosen_metrics(const Registry& registry,
                                        const std::vector<std::string>& names) {
  const auto found = registry.kinds().find(std::string(Metric::kKind));
  SVI_CHECK(found != registry.kinds().end(), "no metric is registered");
  const auto of_worlds = plugins_of_worlds(registry);
  std::vector<std::string> chosen;
  const auto choose = [&](const auto& belongs) {
    bool any = false;
    for (const auto& [name, registration] : found->second) {
      if (!belongs(name, registration)) continue;
      any = true;
      if (std::find(chosen.begin(), chosen.end(), name) == chosen.end()) chosen.push_back(name);
    }
    return any;
  };
  for (const auto& wanted : names) {
    const bool any = choose([&](const std::string& name, const Registration& registration) {
      if (wanted == kAll || wanted == kFree)
        return !of_worlds.contains(plugin_of(registration)) &&
               (wanted == kAll || !needs_file(registration));
      return wanted == name || wanted == plugin_of(registration);
    });
    if (!any) registry.find(Metric::kKind, wanted, "command line: --metrics");  // throws
  }
  return chosen;
}

Document experiment_of(const Arguments& a, const Films& films, const Registry& registry,
                       const PluginWords& words, const fs::path& folder) {
  const std::string origin = "command line";
  Document document;
  document.set_file(origin);
  const auto set = [&](const char* section, const char* key, const std::string& value) {
    document.set(section, key, value, origin);
  };
  const auto metrics =
      chosen_metrics(registry, a.metrics.empty() ? std::vector<std::string>{kFree} : a.metrics);
  std::set<std::string> plugins;
  const auto& known = registry.kinds().at(std::string(Metric::kKind));
  for (const auto& name : metrics) {
    const auto plugin = plugin_of(known.at(name));
    const auto word = words.find(plugin);
    if (plugin != kBuiltIn) plugins.insert(word == words.end() ? plugin : word->second);
    document.add_section("metric." + name, origin);
  }
  set("experiment", "name", "scores");
  set("experiment", "results", folder.string());
  set("experiment", "kind", "measure");
  set("experiment", "plugins", join({plugins.begin(), plugins.end()}));
  set("films", "path", films.run.empty() ? (folder / kVideoList).string() : films.run.string());
  if (!a.truth.empty()) set("films", "truth", a.truth);
  if (!a.prompts.empty()) set("films", "prompts", a.prompts);
  if (a.fps > 0) set("films", "fps", cat(a.fps));
  set("run", "threads", cat(a.threads));
  set("films", "colors", a.colors);
  set("films", "matrix", a.matrix);
  set("films", "broken", a.strict ? "stop" : "list");
  const auto cache = a.cache.empty() ? user_score_folder().string() : a.cache;
  if (cache != "none") set("films", "cache", cache);
  if (a.clip_frames > 0) set("clip", "frames", cat(a.clip_frames));
  set("evaluation", "weights", a.weights);
  set("evaluation", "scene_batch", "1");
  for (const auto& name : metrics) {
    const auto options = known.at(name).options();
    const bool takes_real = std::any_of(options.begin(), options.end(),
                                        [](const auto& option) { return option.key == "real"; });
    if (takes_real && !a.against.empty())
      document.set("metric." + name, "real", a.against, "--against");
  }
  for (const auto& setting : a.settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos || !setting.starts_with("metric.")) {
      raise<ConfigError>("command line: --set ", setting, " is not metric.NAME.key=value");
    }
    set_option(document, setting.substr(0, equals), setting.substr(equals + 1), "--set " + setting);
  }
  return document;
}

}  // namespace svi::eval
