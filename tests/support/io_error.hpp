#pragma once

#include <string>

#include "svi/core/check.hpp"

namespace svi {

/// What the action's IoError says.
template <class Action>
std::string io_error_of(const Action& action) {
  try {
    action();
  } catch (const IoError& error) {
    return error.what();
  }
  return "no IoError";
}

}  // namespace svi
