#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace svi::testing {

/// Counts the bytes of CPU tensors made while it lives: all threads, what they free as well.
/// One at a time counts; meters may nest, the inner one starts at zero.
class MemoryMeter {
 public:
  MemoryMeter() : start_(counter().current()), outer_peak_(counter().restart_peak()) {}
  ~MemoryMeter() { counter().raise_peak(outer_peak_); }
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  /// Bytes made and still there.
  std::int64_t current() const { return counter().current() - start_; }
  /// The most there have been at any moment.
  std::int64_t peak() const { return counter().peak() - start_; }

 private:
  /// In place of LibTorch's CPU allocator, as simple as that, but counting.
  class Counter : public c10::Allocator {
   public:
    Counter() { c10::SetCPUAllocator(this, 100); }

    c10::DataPtr allocate(std::size_t bytes) override {
      constexpr std::size_t kAlignment = 64;
      void* data = bytes == 0 ? nullptr : std::aligned_alloc(kAlignment, (bytes + 63) / 64 * 64);
      if (bytes != 0 && data == nullptr) throw std::bad_alloc();
      raise_peak(current_ += size_of(data));
      return {data, data, &Counter::release, c10::Device(c10::kCPU)};
    }
    c10::DeleterFnPtr raw_deleter() const override { return &Counter::release; }
    void copy_data(void* to, const void* from, std::size_t count) const override {
      default_copy_data(to, from, count);
    }

    std::int64_t current() const { return current_; }
    std::int64_t peak() const { return peak_; }
    std::int64_t restart_peak() { return peak_.exchange(current_); }
    void raise_peak(std::int64_t value) {
      auto seen = peak_.load();
      while (seen < value && !peak_.compare_exchange_weak(seen, value)) {
      }
    }

   private:
    static std::int64_t size_of(void* data) {
      return static_cast<std::int64_t>(::malloc_usable_size(data));
    }
    static void release(void* data) {
      counter().current_ -= size_of(data);
      std::free(data);
    }

    std::atomic<std::int64_t> current_ = 0, peak_ = 0;
  };

  static Counter& counter() {
    static auto* made = new Counter;  // tensors of static lifetime may be freed after all else
    return *made;
  }

  std::int64_t start_, outer_peak_;
};

}  // namespace svi::testing
