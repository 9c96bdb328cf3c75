#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>

namespace svi::benchmark {

inline double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

inline double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A line of /proc/self/status, in bytes.
inline long long status(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

/// The most anonymous memory of the process while it lives: the system keeps no such mark.
class AnonymousPeak {
 public:
  AnonymousPeak() : watcher_([this] { watch(); }) {}
  ~AnonymousPeak() {
    done_ = true;
    watcher_.join();
  }
  long long bytes() const { return peak_; }

 private:
  void watch() {
    while (!done_) {
      peak_ = std::max<long long>(peak_, status("RssAnon"));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  std::atomic<bool> done_ = false;
  std::atomic<long long> peak_ = 0;
  std::thread watcher_;
};

}  // namespace svi::benchmark
