set(SVI_VARIANT_SOURCES
  src/variant/variant.cpp)
