#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

/// A character of a UTF-8 text.
struct Utf8Character {
  char32_t code = 0;     // where `valid`
  std::size_t size = 1;  // bytes; 1 where they are no UTF-8
  bool valid = true;     // the bytes are UTF-8
};

/// The character that begins at `text[at]`; overlong forms and surrogates are not valid.
SVI_EXPORT Utf8Character utf8_character(std::string_view text, std::size_t at);

/// Whether a character shows nothing, or something other than it is: controls, byte order marks,
/// spaces without width, no-break spaces, marks of direction.
SVI_EXPORT bool is_hidden(char32_t code);

/// A foreign text made fit for a message: hidden characters as <U+FEFF>, bytes that are no UTF-8 as
/// <0xE9>, at most `most` characters, then "...".
SVI_EXPORT std::string printable(std::string_view text, std::size_t most = 120);

}  // namespace svi
