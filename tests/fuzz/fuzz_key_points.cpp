#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz.hpp"
#include "skeleton/motion.hpp"

namespace {

/// A file of these bytes whose name tells what it is; gone with this object.
class NamedFile {
 public:
  NamedFile(const char* ending, std::string_view bytes)
      : path_(std::filesystem::temp_directory_path() / svi::cat("svi-fuzz-", getpid(), ending)) {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  NamedFile(const NamedFile&) = delete;
  NamedFile& operator=(const NamedFile&) = delete;
  ~NamedFile() { std::filesystem::remove(path_); }

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace

/// The first byte chooses the form and the rules. What is read has frames, and a place for every
/// point that is seen.
void fuzz(std::string_view bytes) {
  if (bytes.empty()) return;
  const NamedFile file((bytes[0] & 1) != 0 ? ".npz" : ".json", bytes.substr(1));
  const svi::skeleton::MotionRules rules{.owner = "[extension.dance]",
                                         .person = (bytes[0] & 2) != 0 ? 0 : -1,
                                         .missing = svi::skeleton::MissingRule::black};
  const auto motion = svi::skeleton::read_motion(file.path(), rules);
  require(!motion.frames.empty() && motion.width >= 0 && motion.height >= 0);
  for (const auto& person : motion.frames) {
    for (const auto& point : person.body)
      require(!point.seen || (std::isfinite(point.x) && std::isfinite(point.y)));
  }
}
