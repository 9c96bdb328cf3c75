#include "svi/parallel/builtins.hpp"

#include "svi/parallel/mpi_collective.hpp"

namespace svi {

void register_parallel(Registrar& registrar) {
  registrar.add<Collective, MpiCollective>("mpi", "MPI; CUDA tensors pass through host memory");
}

}  // namespace svi
