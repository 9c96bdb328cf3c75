#pragma once

#include "arguments.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/plugin/registry.hpp"

namespace svi::generate {

/// Makes the films that the command line asks for, dealt over the ranks. Returns the exit code.
int make_films(const Arguments& arguments, Registry& registry, const Communicator& world);

/// From here on films end after the clip in work (a signal handler may call it).
void request_stop();

}  // namespace svi::generate
