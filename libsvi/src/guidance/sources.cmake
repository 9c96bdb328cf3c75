set(SVI_GUIDANCE_SOURCES
  src/guidance/denoiser.cpp
  src/guidance/guidance.cpp)
