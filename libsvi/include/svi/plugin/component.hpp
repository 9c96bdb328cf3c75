#pragma once

#include "svi/core/export.hpp"

namespace svi {

/// Root of every pluggable interface; not copyable. Each interface adds
/// `static constexpr std::string_view kKind`, which is also its INI section.
class SVI_EXPORT Component {
 public:
  Component() = default;
  Component(const Component&) = delete;
  Component& operator=(const Component&) = delete;
  virtual ~Component();
};

}  // namespace svi
