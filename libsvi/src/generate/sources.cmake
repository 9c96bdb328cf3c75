set(SVI_GENERATE_SOURCES
  src/generate/film_folder.cpp
  src/generate/film_maker.cpp
  src/generate/frame_size.cpp
  src/generate/prompt_file.cpp
  src/generate/storyboard.cpp
)
