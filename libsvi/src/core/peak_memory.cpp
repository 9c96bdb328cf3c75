#include "svi/core/peak_memory.hpp"

#include <fstream>
#include <string>

namespace svi {

PeakMemory::PeakMemory() {
  std::ofstream("/proc/self/clear_refs") << "5";
}  // proc(5): resets VmHWM

std::int64_t PeakMemory::bytes() {
  constexpr std::int64_t kKibibyte = 1024;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::int64_t kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * kKibibyte;
  }
  return 0;
}

}  // namespace svi
