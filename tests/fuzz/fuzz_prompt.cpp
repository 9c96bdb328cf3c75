#include <ATen/ATen.h>

#include "fuzz.hpp"
#include "pocket/pocket_scene.hpp"
#include "pocket/word_encoder.hpp"

/// A prompt that is understood says the same when written out; any text becomes finite tokens.
void fuzz(std::string_view bytes) {
  if (const auto prompt = svi::parse_pocket_prompt(bytes)) {
    require(svi::parse_pocket_prompt(prompt->text()) == prompt);
  }
  static const svi::PocketTextEncoder encoder({.length = 6, .dim = 8});
  const auto tokens = encoder.encode({std::string(bytes)});  // [1, L, D]
  require(tokens.sizes() == at::IntArrayRef({1, 6, 8}));
  require(tokens.isfinite().all().item<bool>());
  require(svi::pocket_words(bytes).empty() == !tokens.any().item<bool>());
}
