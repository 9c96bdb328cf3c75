set(SVI_CORE_SOURCES
  src/core/check.cpp
  src/core/clock.cpp
  src/core/host.cpp
  src/core/log.cpp
  src/core/printable.cpp
  src/core/random.cpp
  src/core/sha256.cpp)
