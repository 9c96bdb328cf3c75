set(SVI_TENSOR_SOURCES
  src/tensor/banked_error.cpp
  src/tensor/error_records.cpp
  src/tensor/error_structure.cpp
  src/tensor/instruction_set.cpp
  src/tensor/levels.cpp
  src/tensor/random.cpp
  src/tensor/time_bins.cpp)
