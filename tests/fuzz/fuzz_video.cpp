#include <ATen/ATen.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.hpp"
#include "svi/io/video_reader.hpp"

namespace {

/// The bytes as a file in memory, under a path that FFmpeg can open.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    require(descriptor_ >= 0);
    require(write(descriptor_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return svi::cat("/proc/self/fd/", descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

/// Frames have the size that was promised, or the file is refused.
void fuzz(std::string_view bytes) {
  const MemoryFile file(bytes);
  for (const double fps : {0.0, 16.0}) {  // as it is, and retimed
    svi::VideoReader reader(file.path(), {.fps = fps});
    if (reader.info().width * reader.info().height > 256 * 256) return;  // slow, and no other code
    for (int i = 0; i < 4; ++i) {
      const auto frame = reader.next();  // [3, H, W]
      if (!frame) break;
      require(frame->dim() == 3 && frame->size(0) == 3);
      static_cast<void>(frame->sum().item<std::int64_t>());
    }
    for (const auto& note : reader.notes()) require(note.text.starts_with(file.path()));
  }
}
