#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/encoder/small_text_encoder.hpp"

namespace svi {

/// A text encoder without weights, for small models: each word becomes a fixed pseudo-random
/// vector, its place in the text another, and a token is their sum.
///
/// Takes any UTF-8 text: words are runs of letters, digits and non-ASCII bytes, ASCII letters in
/// lower case; the same word gives the same vector in every run. Thread-safe.
class PocketTextEncoder final : public SmallTextEncoder {
 public:
  struct Config {
    std::int64_t length = 24;
    std::int64_t dim = 64;

    void describe(OptionVisitor& visit);
  };

  explicit PocketTextEncoder(Config config);

  /// [B, L, D] fp32 on the CPU. Tokens have unit mean square; places after the last word are zero
  /// and words beyond `length` are left out. An empty text is all zeros: the unconditional prompt.
  at::Tensor encode(const std::vector<std::string>& texts) const override;
  std::size_t read_bytes(std::string_view text) const override;
  const char* unit() const override { return "words"; }

  std::int64_t length() const { return config_.length; }  // L
  std::int64_t dim() const { return config_.dim; }        // D

 private:
  Config config_;
  at::Tensor places_;  // [L, D]
};

/// How many bytes of a text hold its first `words` words; all of them if it has no more.
std::size_t pocket_read_bytes(std::string_view text, std::int64_t words);

/// The words of a text as the encoder sees them.
std::vector<std::string> pocket_words(std::string_view text);

}  // namespace svi
