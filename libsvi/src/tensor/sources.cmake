set(SVI_TENSOR_SOURCES
  src/tensor/banked_error.cpp
  src/tensor/error_records.cpp
  src/tensor/error_structure.cpp
  src/tensor/instruction_set.cpp
  src/tensor/levels.cpp
  src/tensor/random.cpp
  src/tensor/threads.cpp
  src/tensor/time_bins.cpp)
# The only file with OpenMP, by which LibTorch shares out loops; the precompiled header has other flags.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set_source_files_properties(src/tensor/threads.cpp PROPERTIES
    COMPILE_OPTIONS -fopenmp SKIP_PRECOMPILE_HEADERS ON SKIP_UNITY_BUILD_INCLUSION ON)
endif()
