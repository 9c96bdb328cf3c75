set(SVI_SAMPLER_SOURCES
  src/sampler/euler.cpp
  src/sampler/sampler.cpp
  src/sampler/unipc.cpp)
