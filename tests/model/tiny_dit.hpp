#pragma once

#include <cstdint>

#include "svi/model/wan/dit.hpp"

namespace svi::test {

/// Sizes of a transformer that takes milliseconds: latents of 2 channels, two heads of 12.
inline WanDitConfig tiny_dit(std::int64_t layers = 1) {
  return {.in_dim = 2,
          .out_dim = 2,
          .dim = 24,
          .ffn_dim = 48,
          .freq_dim = 16,
          .text_dim = 8,
          .text_len = 4,
          .heads = 2,
          .layers = layers};
}

}  // namespace svi::test
