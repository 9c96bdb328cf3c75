set(SVI_ENCODER_SOURCES
  src/encoder/clip_vision.cpp
  src/encoder/umt5.cpp
  src/encoder/wav2vec2.cpp
  src/encoder/weight_table.cpp
)
