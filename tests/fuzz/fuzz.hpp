#pragma once

// A fuzz target is one file with one function: `fuzz(bytes)`. What the library refuses it must
// refuse with svi::Error; anything else that leaves the function is a finding, and so is what the
// sanitizers see.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "svi/core/check.hpp"

void fuzz(std::string_view bytes);

extern "C" inline __attribute__((used)) int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                                                   std::size_t size) {
  try {
    fuzz({reinterpret_cast<const char*>(data), size});
  } catch (const svi::Error&) {
  }
  return 0;
}

/// A property that must hold whatever the input.
inline void require(bool holds) {
  if (!holds) __builtin_trap();
}
