set(SVI_TENSOR_SOURCES
  src/tensor/banked_error.cpp
  src/tensor/pocket_scene.cpp
  src/tensor/random.cpp)
