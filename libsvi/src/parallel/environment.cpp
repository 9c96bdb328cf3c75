#include "svi/parallel/environment.hpp"

#include <cstdlib>
#include <exception>

#include "svi/core/check.hpp"
#include "svi/parallel/mpi_native.hpp"

namespace svi {

Environment::Environment(int& argc, char**& argv) {
  // A program started without mpirun has nobody to spawn ranks for; OpenMPI would start a daemon
  // for it.
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr && std::getenv("PMIX_RANK") == nullptr) {
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
  }
  int provided = MPI_THREAD_SINGLE;
  mpi::check(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
  // Communicators made from these inherit the handler, so every failure comes back as a code we can
  // name.
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
  MPI_File_set_errhandler(MPI_FILE_NULL, MPI_ERRORS_RETURN);
  if (provided < MPI_THREAD_MULTIPLE) {
    MPI_Finalize();
    raise(
        "this MPI library does not support MPI_THREAD_MULTIPLE, which svi needs; "
        "on Debian, OpenMPI of the package libopenmpi-dev does");
  }
}

Environment::~Environment() {
  // An exception that unwinds one rank only would leave the others waiting in MPI_Finalize for
  // ever.
  if (std::uncaught_exceptions() > 0) MPI_Abort(MPI_COMM_WORLD, 1);
  MPI_Finalize();
}

void Environment::abort(int exit_code) {
  if (mpi::is_running()) MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::_Exit(exit_code);
}

}  // namespace svi
