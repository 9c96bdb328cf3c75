# Every third-party package, found once, as an imported target.
find_package(LibTorch REQUIRED)
find_package(Threads REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)
set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 REQUIRED COMPONENTS C HL)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "svi needs parallel HDF5. On Debian: apt-get install libhdf5-openmpi-dev")
endif()
find_package(Boost REQUIRED COMPONENTS program_options log)
find_package(Eigen3 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil libswscale)

# The old C++ bindings in mpi.h are neither wanted nor linkable (OMPI_SKIP_MPICXX, set for all targets).
add_library(svi_mpi INTERFACE)
target_link_libraries(svi_mpi INTERFACE MPI::MPI_C)

# Part of the ABI string: MPI_Comm is another type in each implementation.
find_file(SVI_MPI_HEADER mpi.h HINTS ${MPI_C_INCLUDE_DIRS} REQUIRED)
file(STRINGS "${SVI_MPI_HEADER}" _svi_openmpi REGEX "define OMPI_MAJOR_VERSION")
set(SVI_MPI_VENDOR "mpi-${MPI_C_VERSION}")
if(_svi_openmpi)
  string(REGEX MATCH "[0-9]+" _svi_major "${_svi_openmpi}")
  set(SVI_MPI_VENDOR "openmpi-${_svi_major}")
endif()
string(REGEX MATCH "^[0-9]+" SVI_COMPILER_MAJOR "${CMAKE_CXX_COMPILER_VERSION}")
