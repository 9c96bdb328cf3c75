set(SVI_IO_SOURCES
  src/io/atomic_file.cpp
  src/io/safetensors.cpp
  src/io/safetensors_header.cpp
)
