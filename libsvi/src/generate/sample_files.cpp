#include "svi/generate/sample_files.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/core/text.hpp"
#include "svi/data/video_names.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

/// Whether a file is called so, but for its ending.
bool is_called(const fs::path& path, std::string_view name) {
  return lower_case(path.stem().string()) == name;
}

bool is_sound(const fs::path& path) {
  static constexpr std::array<std::string_view, 8> kSounds = {".wav", ".flac", ".mp3",  ".m4a",
                                                              ".aac", ".ogg",  ".opus", ".oga"};
  const auto ending = lower_case(path.extension().string());
  return std::find(kSounds.begin(), kSounds.end(), ending) != kSounds.end();
}

/// Where a file stands among the pictures of a sample; -1: it is none.
int rank_of(const fs::path& path) {
  static constexpr std::array<std::string_view, 8> kEndings = {".jpg", ".jpeg", ".png",  ".webp",
                                                               ".bmp", ".tif",  ".tiff", ".gif"};
  const auto ending = lower_case(path.extension().string());
  const auto found = std::find(kEndings.begin(), kEndings.end(), ending);
  if (found == kEndings.end()) return -1;
  if (!is_called(path, "frame")) return static_cast<int>(kEndings.size());
  return static_cast<int>(found - kEndings.begin());
}

}  // namespace

SampleFiles find_sample(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  SampleFiles sample;
  int best = -1;
  for (const auto& file : files) {
    if (sample.prompts.empty() && lower_case(file.filename().string()) == "prompt.txt")
      sample.prompts = file;
    if (sample.pose.empty() && is_called(file, "pose") && is_video(file)) sample.pose = file;
    if (sample.audio.empty() && is_sound(file)) sample.audio = file;
    const int rank = rank_of(file);
    if (rank >= 0 && is_called(file, "end")) {
      if (sample.end.empty()) sample.end = file;
      continue;
    }
    if (rank < 0 || (best >= 0 && rank >= best)) continue;
    best = rank;
    sample.image = file;
  }
  if (best < 0) {
    raise<IoError>(folder.string(),
                   ": holds no picture to start from (jpg, jpeg, png, webp, bmp, tif, tiff or "
                   "gif, called other than `end`)");
  }
  return sample;
}

}  // namespace svi
