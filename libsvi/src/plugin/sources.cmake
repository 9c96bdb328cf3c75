set(SVI_PLUGIN_SOURCES
  src/plugin/component.cpp
  src/plugin/registry.cpp
  src/plugin/loader.cpp)
