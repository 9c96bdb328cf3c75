set(SVI_MEASURE_SOURCES
  src/measure/film_meter.cpp)
