set(SVI_MEASURE_SOURCES
  src/measure/film_file.cpp
  src/measure/film_meter.cpp
  src/measure/film_record.cpp
  src/measure/film_scores.cpp
  src/measure/score_cache.cpp)
