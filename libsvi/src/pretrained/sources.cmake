set(SVI_PRETRAINED_SOURCES
  src/pretrained/device.cpp
  src/pretrained/model_folder.cpp
  src/pretrained/pretrained.cpp
)
