#include "svi/generate/sample_files.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/core/text.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

/// Where a file stands among the pictures of a sample; -1: it is none.
int rank_of(const fs::path& path) {
  static constexpr std::array<std::string_view, 8> kEndings = {".jpg", ".jpeg", ".png",  ".webp",
                                                               ".bmp", ".tif",  ".tiff", ".gif"};
  const auto ending = lower_case(path.extension().string());
  const auto found = std::find(kEndings.begin(), kEndings.end(), ending);
  if (found == kEndings.end()) return -1;
  if (lower_case(path.stem().string()) != "frame") return static_cast<int>(kEndings.size());
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
    const int rank = rank_of(file);
    if (rank < 0 || (best >= 0 && rank >= best)) continue;
    best = rank;
    sample.image = file;
  }
  if (best < 0) {
    raise<IoError>(folder.string(),
                   ": holds no picture (jpg, jpeg, png, webp, bmp, tif, tiff or gif)");
  }
  if (sample.prompts.empty()) raise<IoError>(folder.string(), ": holds no prompt.txt");
  return sample;
}

}  // namespace svi
