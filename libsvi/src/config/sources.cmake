set(SVI_CONFIG_SOURCES
  src/config/command_line.cpp
  src/config/document.cpp
  src/config/option.cpp
  src/config/parse.cpp
  src/config/describe.cpp)
