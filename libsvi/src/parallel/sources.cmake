set(SVI_PARALLEL_SOURCES
  src/parallel/builtins.cpp
  src/parallel/collective.cpp
  src/parallel/communicator.cpp
  src/parallel/environment.cpp
  src/parallel/mpi_collective.cpp
  src/parallel/shard.cpp)
