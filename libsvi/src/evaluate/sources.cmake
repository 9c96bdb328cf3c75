set(SVI_EVALUATE_SOURCES
  src/evaluate/evaluation.cpp)
