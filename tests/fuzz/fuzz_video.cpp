#include <ATen/ATen.h>

#include "memory_file.hpp"
#include "svi/io/video_reader.hpp"

/// Frames have the size that was promised, or the file is refused.
void fuzz(std::string_view bytes) {
  const svi::fuzzing::MemoryFile file(bytes);
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
