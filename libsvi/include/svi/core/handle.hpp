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
  using Raw = typename Traits::Raw;  // the C type

  Handle() noexcept : raw_(Traits::null()) {}
  explicit Handle(Raw raw) noexcept : raw_(raw) {}  // owns it
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, Traits::null())) {}
  Handle& operator=(Handle other) noexcept {  // closes what it held
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Handle() {
    if (raw_ != Traits::null()) Traits::close(raw_);
  }

  Raw get() const noexcept { return raw_; }                                   // still owned
  Raw release() noexcept { return std::exchange(raw_, Traits::null()); }      // no longer owned
  explicit operator bool() const noexcept { return raw_ != Traits::null(); }  // holds one

 private:
  Raw raw_;
};

}  // namespace svi
