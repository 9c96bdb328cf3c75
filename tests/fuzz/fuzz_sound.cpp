#include <ATen/ATen.h>

#include "memory_file.hpp"
#include "svi/io/sound.hpp"

/// A sound has finite samples at the rate that was asked for, or the file is refused.
void fuzz(std::string_view bytes) {
  const svi::fuzzing::MemoryFile file(bytes);
  const auto sound = svi::read_sound(file.path(), {.rate = 16000, .channels = 1});
  require(sound.rate == 16000 && sound.samples.dim() == 2 && sound.samples.size(0) == 1);
  require(sound.samples.isfinite().all().item<bool>());
}
