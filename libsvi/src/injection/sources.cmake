set(SVI_INJECTION_SOURCES
  src/injection/bernoulli.cpp
  src/injection/builtins.cpp
  src/injection/injection_policy.cpp
  src/injection/scheduled.cpp)
