#include <algorithm>
#include <filesystem>

#include "captions.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/data/video_folder.hpp"
#include "svi/data/video_names.hpp"
#include "svi/io/video_reader.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

/// The entries of a folder that `wanted` accepts, by name.
template <class Wanted>
std::vector<fs::path> sorted(const fs::path& folder, const Wanted& wanted) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (wanted(entry)) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// Takes what is called a video and holds none out of the list, and says so.
void drop_sound(std::vector<fs::path>& paths) {
  std::erase_if(paths, [](const fs::path& path) {
    const auto reason = no_video_reason(path.string());
    if (!reason.empty()) SVI_WARN("data", "passed over: ", reason);
    return !reason.empty();
  });
}

std::vector<fs::path> videos_in(const fs::path& folder) {
  auto paths = sorted(folder, [](const fs::directory_entry& entry) {
    return entry.is_regular_file() && is_video(entry.path());
  });
  drop_sound(paths);
  return paths;
}

void add_folder(const fs::path& folder, const std::string& category, const std::string& otherwise,
                std::vector<VideoEntry>& entries) {
  const auto videos = videos_in(folder);
  if (videos.empty()) return;
  const auto name = fs::canonical(folder).filename().string();
  const auto captions = read_captions(folder, name, videos);
  for (const auto& video : videos) {
    const auto found = captions.find(video.filename().string());
    const bool known = found != captions.end();
    entries.push_back({video.string(), category, known ? found->second : otherwise, known});
  }
}

}  // namespace

std::vector<VideoEntry> list_videos(const std::string& path, const std::string& caption) try {
  if (!fs::exists(path)) raise<IoError>(path, ": no such file or folder");
  if (!fs::is_directory(path)) {
    if (!is_video(path)) {
      raise<IoError>(path, ": is neither a folder nor a video (", kVideoEndings, ")");
    }
    if (const auto reason = no_video_reason(path); !reason.empty()) raise<IoError>(reason);
    return {{path, "", caption}};
  }
  std::vector<VideoEntry> entries;
  add_folder(path, "", caption, entries);
  const auto folders =
      sorted(path, [](const fs::directory_entry& entry) { return entry.is_directory(); });
  for (const auto& folder : folders) {
    const auto category = folder.filename().string();
    add_folder(folder, category, "A video from " + category + " category", entries);
  }
  if (entries.empty()) {
    std::vector<fs::path> deep;
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file() && is_video(entry.path())) deep.push_back(entry.path());
    }
    std::sort(deep.begin(), deep.end());
    drop_sound(deep);
    for (const auto& video : deep) entries.push_back({video.string(), "", caption});
  }
  if (entries.empty()) {
    raise<IoError>(path, ": holds no video (", kVideoEndings, "), nor do its sub-folders");
  }
  const auto found = std::count_if(entries.begin(), entries.end(),
                                   [](const VideoEntry& entry) { return entry.own_caption; });
  SVI_INFO("data", path, ": ", entries.size(), " videos, ", found, " with captions of their own, ",
           static_cast<std::ptrdiff_t>(entries.size()) - found, " without");
  return entries;
} catch (const fs::filesystem_error& error) {
  raise<IoError>(path, ": cannot be listed: ", error.code().message());
}

}  // namespace svi
