#pragma once

#include <unistd.h>

namespace svi {

/// A file descriptor, for Handle.
struct Descriptor {
  using Raw = int;
  static Raw null() { return -1; }
  static void close(Raw raw) noexcept { ::close(raw); }
};

}  // namespace svi
