set(SVI_VARIANT_SOURCES
  src/variant/motion.cpp
  src/variant/variant.cpp)
