#pragma once

#include <chrono>
#include <mutex>
#include <ostream>
#include <streambuf>
#include <string>
#include <thread>

namespace svi {

/// A stream that one thread writes and others read meanwhile. A test waits for what it must see
/// instead of sleeping as long as that usually takes; what never comes is ended by CTest.
class SharedText : private std::streambuf, public std::ostream {
 public:
  SharedText() : std::ostream(static_cast<std::streambuf*>(this)) {}

  std::string str() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  void wait_for(const std::string& part) const {
    while (str().find(part) == std::string::npos)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  std::streamsize xsputn(const char* from, std::streamsize count) override {
    const std::lock_guard lock(mutex_);
    text_.append(from, static_cast<std::size_t>(count));
    return count;
  }
  int overflow(int character) override {
    const std::lock_guard lock(mutex_);
    if (character != traits_type::eof()) text_ += static_cast<char>(character);
    return 0;
  }
  using traits_type = std::streambuf::traits_type;

  mutable std::mutex mutex_;
  std::string text_;
};

/// Returns when `condition` holds, as SharedText::wait_for does.
template <class Condition>
void wait_until(const Condition& condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace svi
