set(SVI_ERROR_SOURCES
  src/error/builtins.cpp
  src/error/error_source.cpp
  src/error/one_step.cpp
  src/error/residual.cpp
  src/error/rollout.cpp)
