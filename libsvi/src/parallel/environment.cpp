#include "svi/parallel/environment.hpp"

#include <csignal>
#include <cstdlib>
#include <exception>

#include "svi/core/check.hpp"
#include "svi/parallel/launch.hpp"
#include "svi/parallel/mpi_native.hpp"

namespace svi {

Environment::Environment(int& argc, char**& argv) {
  if (const auto problem = temporary_folder_problem(std::getenv); !problem.empty())
    throw ConfigError(problem);
  // A file that grows beyond `ulimit -f` is then a failed write with a message, not a sudden end.
  std::signal(SIGXFSZ, SIG_IGN);
  // MPI itself sets some of the variables that tell how it was started.
  const auto problem_alone = launch_problem(std::getenv, 1);
  // A program started without mpirun has nobody to spawn ranks for; OpenMPI would start a daemon
  // for it.
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr && std::getenv("PMIX_RANK") == nullptr) {
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    // Nor does it need a folder of its session, which such programs share: one that ends takes it
    // from one that begins.
    setenv("OMPI_MCA_orte_create_session_dirs", "0", 0);
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
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  if (ranks == 1 && !problem_alone.empty()) {
    MPI_Finalize();
    throw ConfigError(problem_alone);
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
