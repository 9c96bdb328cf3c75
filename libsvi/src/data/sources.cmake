set(SVI_DATA_SOURCES
  src/data/builtins.cpp
  src/data/clip_source.cpp
  src/data/csv.cpp
  src/data/pocket_world.cpp
  src/data/text_encoder.cpp
  src/data/video_folder.cpp
  src/data/video_list.cpp)
