set(SVI_TRAIN_SOURCES
  src/train/error_exchange.cpp
  src/train/optimizer.cpp
  src/train/recycler.cpp
  src/train/recycler_state.cpp
  src/train/trainable.cpp
  src/train/trainer.cpp
  src/train/trainer_state.cpp)
