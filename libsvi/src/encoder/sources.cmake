set(SVI_ENCODER_SOURCES
  src/encoder/html_unescape.cpp
  src/encoder/mojibake.cpp
  src/encoder/text_cleaning.cpp
  src/encoder/text_encoder.cpp
  src/encoder/tokenizer.cpp
  src/encoder/unicode.cpp
)
