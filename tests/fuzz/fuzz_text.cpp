#include "encoder/unicode.hpp"
#include "fuzz.hpp"
#include "svi/encoder/text_cleaning.hpp"

/// Any bytes clean to UTF-8 without white space at the ends.
void fuzz(std::string_view bytes) {
  const auto cleaned = svi::clean_prompt(bytes);
  const auto text = svi::unicode::decode(cleaned);
  require(svi::unicode::encode(text) == cleaned);
  require(text.empty() ||
          (!svi::unicode::is_space(text.front()) && !svi::unicode::is_space(text.back())));
}
