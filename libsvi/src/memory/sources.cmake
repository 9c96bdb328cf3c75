set(SVI_MEMORY_SOURCES
  src/memory/builtins.cpp
  src/memory/fingerprint.cpp
  src/memory/memory_bank.cpp
  src/memory/nearest.cpp
  src/memory/storage.cpp
  src/memory/time_grid.cpp
  src/memory/time_grid_state.cpp)
