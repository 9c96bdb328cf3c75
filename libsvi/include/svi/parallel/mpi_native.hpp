#pragma once

// The one header that shows MPI: for code that must hand a communicator to another library.

#include <mpi.h>

#include "svi/core/export.hpp"
#include "svi/parallel/communicator.hpp"

namespace svi::mpi {

/// Throws svi::Error with MPI's own message if `code`, returned by `call`, is not MPI_SUCCESS.
SVI_EXPORT void check(int code, const char* call);

/// True between the construction and the destruction of an Environment.
SVI_EXPORT bool is_running();

/// The MPI communicator of `group`, owned by it. MPI_COMM_SELF for Communicator::self(), which then
/// needs an Environment.
SVI_EXPORT MPI_Comm native(const Communicator& group);

}  // namespace svi::mpi
