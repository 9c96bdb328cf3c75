set(SVI_SAMPLER_SOURCES
  src/sampler/sampler.cpp
  src/sampler/euler.cpp)
