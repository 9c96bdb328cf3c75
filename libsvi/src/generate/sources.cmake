set(SVI_GENERATE_SOURCES
  src/generate/prompt_file.cpp
)
