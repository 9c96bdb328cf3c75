#pragma once

#include <utility>

namespace svi {

/// Owns one C handle; movable, not copyable. `Traits` names its type, its null value and how to
/// close it.
///
/// `null()` is a function because MPI's null handles are not constant expressions.
template <class Traits>
class Handle {
 public:
  using Raw = typename Traits::Raw;

  Handle() noexcept : raw_(Traits::null()) {}
  explicit Handle(Raw raw) noexcept : raw_(raw) {}
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, Traits::null())) {}
  Handle& operator=(Handle other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Handle() {
    if (raw_ != Traits::null()) Traits::close(raw_);
  }

  Raw get() const noexcept { return raw_; }
  Raw release() noexcept { return std::exchange(raw_, Traits::null()); }
  explicit operator bool() const noexcept { return raw_ != Traits::null(); }

 private:
  Raw raw_;
};

}  // namespace svi
