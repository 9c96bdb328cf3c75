#include <fstream>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/data/csv.hpp"
#include "svi/data/video_folder.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

bool is_video(const fs::path& path) {
  auto extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  static const std::array<std::string_view, 5> known = {".mp4", ".avi", ".mov", ".mkv", ".webm"};
  return std::find(known.begin(), known.end(), extension) != known.end();
}

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

std::vector<fs::path> videos_in(const fs::path& folder) {
  return sorted(folder, [](const fs::directory_entry& entry) {
    return entry.is_regular_file() && is_video(entry.path());
  });
}

std::size_t column(const std::vector<std::string>& header, std::string_view name,
                   const std::string& file) {
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i] == name) return i;
  }
  std::string present;
  for (const auto& title : header) present += (present.empty() ? "" : ", ") + title;
  raise<IoError>(file, ": no column \"", name, "\"; its first line names: ", present);
}

/// File name to caption; empty where the folder has no table.
std::map<std::string, std::string> captions_of(const fs::path& folder,
                                               const std::string& category) {
  const auto path = folder / (category + ".csv");
  std::map<std::string, std::string> captions;
  if (!fs::exists(path)) return captions;
  std::ifstream stream(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) raise<IoError>(path.string(), ": cannot be read");
  const auto rows = parse_csv(text, path.string());
  if (rows.empty()) raise<IoError>(path.string(), ": is empty");
  const auto name = column(rows[0], "Filename", path.string());
  const auto caption = column(rows[0], "Video Description", path.string());
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].size() <= std::max(name, caption)) {
      SVI_WARN("data", path.string(), ": row ", i + 1, " has ", rows[i].size(), " of ",
               rows[0].size(), " fields and is passed over");
      continue;
    }
    captions[rows[i][name]] = rows[i][caption];
  }
  return captions;
}

void add_folder(const fs::path& folder, const std::string& category, const std::string& otherwise,
                std::vector<VideoEntry>& entries) {
  const auto videos = videos_in(folder);
  if (videos.empty()) return;
  const auto name = fs::canonical(folder).filename().string();
  const auto captions = captions_of(folder, name);
  for (const auto& video : videos) {
    const auto found = captions.find(video.filename().string());
    const bool known = found != captions.end() && !found->second.empty();
    entries.push_back({video.string(), category, known ? found->second : otherwise});
  }
}

}  // namespace

std::vector<VideoEntry> list_videos(const std::string& path, const std::string& caption) try {
  if (!fs::exists(path)) raise<IoError>(path, ": no such file or folder");
  if (!fs::is_directory(path)) {
    if (!is_video(path)) {
      raise<IoError>(path, ": is neither a folder nor a video (mp4, avi, mov, mkv, webm)");
    }
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
    for (const auto& video : deep) entries.push_back({video.string(), "", caption});
  }
  if (entries.empty()) {
    raise<IoError>(path, ": holds no video (mp4, avi, mov, mkv, webm), nor do its sub-folders");
  }
  return entries;
} catch (const fs::filesystem_error& error) {
  raise<IoError>(path, ": cannot be listed: ", error.code().message());
}

}  // namespace svi
