#pragma once

#include "arguments.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/plugin/registry.hpp"

namespace svi::generate {

/// Makes the films that the command line asks for, dealt over the ranks, until a signal asks to
/// stop (see catch_stop_signals). Returns the exit code.
int make_films(const Arguments& arguments, Registry& registry, const Communicator& world);

}  // namespace svi::generate
