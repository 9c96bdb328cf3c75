#include "svi/data/video_names.hpp"

#include <glob.h>

#include <fstream>

#include "svi/core/check.hpp"

namespace svi {

namespace fs = std::filesystem;

std::vector<fs::path> videos_matching(const std::string& pattern) {
  glob_t found{};
  std::vector<fs::path> paths;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      const fs::path path = found.gl_pathv[i];
      if (fs::is_regular_file(path) && is_video(path)) paths.push_back(path);
    }
  }
  globfree(&found);
  return paths;
}

std::vector<fs::path> listed_videos(const std::string& where, const fs::path& list) {
  std::ifstream in(list);
  std::vector<fs::path> paths;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    const auto path = fs::path(line).is_absolute() ? fs::path(line) : list.parent_path() / line;
    if (!fs::is_regular_file(path) || !is_video(path)) {
      raise<ConfigError>(where, ": line ", number, ": ", path.string(),
                         fs::exists(path) ? " is no video" : " does not exist");
    }
    paths.push_back(path);
  }
  return paths;
}

}  // namespace svi
