set(SVI_METHOD_SOURCES
  src/method/assembler.cpp
  src/method/chain.cpp
  src/method/clip_chain.cpp
  src/method/film.cpp
  src/method/method.cpp
  src/method/rollout.cpp
  src/method/studio.cpp)
