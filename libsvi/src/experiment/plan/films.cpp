#include "films.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "experiment/jobs/folders.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/data/video_names.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTruthFolder = "truth";

/// Compares texts, numbers in them by their value.
bool natural_less(const std::string& a, const std::string& b) {
  const auto digit = [](const std::string& text, std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  const auto number = [&](const std::string& text, std::size_t& i) {
    const auto begin = text.find_first_not_of('0', i);
    while (digit(text, i)) ++i;
    return begin < i ? text.substr(begin, i - begin) : std::string();
  };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a, i) && digit(b, j)) {
      const auto x = number(a, i), y = number(b, j);
      if (x != y) return x.size() != y.size() ? x.size() < y.size() : x < y;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
    }
  }
  if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
  return a < b;  // "01" and "1"
}

struct NaturalOrder {
  bool operator()(const std::string& a, const std::string& b) const { return natural_less(a, b); }
};

std::vector<fs::path> videos_directly_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (entry.is_regular_file() && is_video(entry.path()) && name.front() != '.')
      paths.push_back(entry.path());
  }
  return paths;
}

/// Names of films: those of their files without folder and ending, or, where two of these are
/// equal, with as many folders as tell all apart.
std::vector<std::string> film_names_of(const std::vector<fs::path>& paths) {
  for (std::size_t folders = 0; folders < 4; ++folders) {
    std::vector<std::string> names;
    for (const auto& path : paths) {
      auto name = path.stem().string();
      auto parent = path.parent_path();
      for (std::size_t i = 0; i < folders && parent.has_filename(); ++i) {
        name = parent.filename().string() + "/" + name;
        parent = parent.parent_path();
      }
      names.push_back(name);
    }
    if (std::set(names.begin(), names.end()).size() == names.size()) return names;
  }
  return {};
}

/// Results of a run keep films in videos/<arm>/.
bool is_run(const fs::path& path) { return fs::is_directory(path / "videos"); }

/// The videos that a text names, by name.
std::map<std::string, std::string, NaturalOrder> videos_named(const std::string& where,
                                                              const std::string& text) {
  std::vector<fs::path> paths;
  if (fs::is_directory(text)) {
    paths = videos_directly_in(text);
  } else if (fs::is_regular_file(text) && fs::path(text).extension() == ".txt") {
    paths = listed_videos(where + " = " + text, text);
  } else if (fs::is_regular_file(text)) {
    if (!is_video(text))
      raise<ConfigError>(where, " = ", text, ": is no video; videos end in ", kVideoEndings);
    paths = {text};
  } else {
    paths = videos_matching(text);
  }
  if (paths.empty()) {
    raise<ConfigError>(where, " = ", text,
                       ": no video is there; name a video, a folder of them, a "
                       "pattern such as films/*.mp4, or the results of a run; videos end in ",
                       kVideoEndings);
  }
  const bool listed = fs::path(text).extension() == ".txt";
  const auto names = listed ? film_names_of(paths) : std::vector<std::string>();
  std::map<std::string, std::string, NaturalOrder> films;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto& path = paths[i];
    const auto name = names.empty() ? path.stem().string() : names[i];
    const auto [place, fresh] = films.emplace(name, path.string());
    if (!fresh) {
      raise<ConfigError>(where, " = ", text, ": ", place->second, " and ", path.string(),
                         " have one name; films are told apart by it: rename one");
    }
  }
  return films;
}

/// The folder of an arm's films among the results of a run.
std::string recorded_films(const std::string& where, const fs::path& run, const std::string& arm) {
  const auto folder = run / "videos" / safe_name(arm);
  if (fs::is_directory(folder)) return folder.string();
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(run / "videos"))
    names.insert(entry.path().filename().string());
  raise<ConfigError>(where, " = ", run.string(), ": the run recorded no films of an arm '", arm,
                     "'; of these: ", join({names.begin(), names.end()}));
}

/// Arms by name, with the folder of each, if films lie in several folders.
std::map<std::string, fs::path> folders_of_films(const fs::path& path) {
  std::map<std::string, fs::path> folders;
  const auto parent = is_run(path) ? path / "videos" : path;
  if (!fs::is_directory(parent) || (!is_run(path) && !videos_directly_in(path).empty()))
    return folders;
  for (const auto& entry : fs::directory_iterator(parent)) {
    auto name = entry.path().filename().string();
    if (!entry.is_directory() || (is_run(path) && name == kTruthFolder)) continue;
    if (videos_directly_in(entry.path()).empty()) continue;
    std::replace(name.begin(), name.end(), '.', '_');  // of arms
    if (!folders.emplace(name, entry.path()).second) {
      raise<ConfigError>("[films] path = ", path.string(), ": two folders would be the arm '", name,
                         "'; give each an arm with films.path");
    }
  }
  return folders;
}

/// "a cat-0" is a film of "a cat".
std::string prompt_of_name(const std::string& name) {
  const auto dash = name.find_last_not_of("0123456789");
  const bool numbered = dash != std::string::npos && name[dash] == '-' && dash + 1 < name.size();
  return numbered ? name.substr(0, dash) : name;
}

/// A JSON file's texts by film.
std::map<std::string, std::string> prompts_in(const std::string& where, const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) raise<ConfigError>(where, " = ", path, ": cannot be opened");
  try {
    return nlohmann::json::parse(in).get<std::map<std::string, std::string>>();
  } catch (const nlohmann::json::exception& error) {
    raise<ConfigError>(where, " = ", path, ": is no JSON object of texts: ", error.what());
  }
}

/// Gives films their prompts.
void add_prompts(std::vector<NamedFilm>& films, const std::string& where,
                 const std::string& prompts) {
  if (prompts == "names") {
    for (auto& film : films) film.prompt = prompt_of_name(fs::path(film.path).stem().string());
    return;
  }
  const auto known = prompts_in(where, prompts);
  bool any = false;
  for (auto& film : films) {
    for (const auto& key : {film.name, fs::path(film.path).filename().string(), film.path}) {
      const auto found = known.find(key);
      if (found == known.end()) continue;
      film.prompt = found->second;
      any = true;
      break;
    }
  }
  if (!any) {
    raise<ConfigError>(where, " = ", prompts, ": no key there is the name of a film, such as ",
                       films.front().name);
  }
}

}  // namespace

std::vector<NamedFilm> films_of(const Arm& arm) {
  const auto config = parse_config<FilmsConfig>(arm.document, "films");
  const auto where = cat("[arm.", arm.name, "] films.path");
  if (config.path.empty()) {
    raise<ConfigError>(where,
                       " is not set: kind = measure needs [films] path, the video files to "
                       "measure");
  }
  auto path = config.path, truth = config.truth;
  if (is_run(path)) {
    if (truth.empty() && fs::is_directory(fs::path(path) / "videos" / kTruthFolder))
      truth = (fs::path(path) / "videos" / kTruthFolder).string();
    path = recorded_films(where, path, arm.name);
  }
  if (is_run(truth)) truth = (fs::path(truth) / "videos" / kTruthFolder).string();
  std::map<std::string, std::string, NaturalOrder> truths;
  if (!truth.empty()) truths = videos_named(cat("[arm.", arm.name, "] films.truth"), truth);
  std::vector<NamedFilm> films;
  bool known = truths.empty();
  for (const auto& [name, file] : videos_named(where, path)) {
    const auto found = truths.find(name);
    films.push_back({name, file, found == truths.end() ? "" : found->second});
    known = known || found != truths.end();
  }
  if (!known) {
    raise<ConfigError>("[arm.", arm.name, "] films.truth = ", truth,
                       ": no video there has the name of a film in ", path, ", such as ",
                       films.front().name);
  }
  if (!config.prompts.empty())
    add_prompts(films, cat("[arm.", arm.name, "] films.prompts"), config.prompts);
  return films;
}

std::vector<std::string> film_names(const Plan& plan) {
  std::set<std::string, NaturalOrder> names;
  for (const auto& arm : plan.arms) {
    for (const auto& film : films_of(arm)) names.insert(film.name);
  }
  return {names.begin(), names.end()};
}

Document with_film_arms(const Document& document) {
  const bool measures = document.get("experiment", "kind") == "measure";
  const auto path = document.get("films", "path").value_or("");
  for (const auto& section : document.sections()) {
    if (section.name.starts_with("arm.")) return document;
  }
  if (!measures || path.empty()) return document;
  auto with_arms = document;
  const auto origin = cat(document.file(), ": [films] path = ", path);
  auto folders = folders_of_films(path);
  if (folders.empty()) with_arms.add_section("arm.films", origin);
  const auto truth = fs::path(path) / "videos" / kTruthFolder;
  for (const auto& [name, folder] : folders) {
    with_arms.set("arm." + name, "films.path", folder.string(), origin);
    if (is_run(path) && fs::is_directory(truth) && !document.get("films", "truth"))
      with_arms.set("arm." + name, "films.truth", truth.string(), origin);
  }
  return with_arms;
}

}  // namespace svi
