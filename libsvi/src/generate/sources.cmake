set(SVI_GENERATE_SOURCES
  src/generate/prompt_document.cpp
  src/generate/prompt_file.cpp
  src/generate/prompt_literal.cpp
)
