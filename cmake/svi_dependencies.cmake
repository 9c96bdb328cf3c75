# Every third-party package, found once, as an imported target.
find_package(LibTorch REQUIRED)
find_package(Threads REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)
set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 REQUIRED COMPONENTS C)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "svi needs parallel HDF5. On Debian: apt-get install libhdf5-openmpi-dev")
endif()
find_package(Boost REQUIRED COMPONENTS program_options log)
find_package(Eigen3 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil libswscale)

# The old C++ bindings in mpi.h are neither wanted nor linkable.
add_library(svi_mpi INTERFACE)
target_link_libraries(svi_mpi INTERFACE MPI::MPI_C)
target_compile_definitions(svi_mpi INTERFACE OMPI_SKIP_MPICXX=1)
