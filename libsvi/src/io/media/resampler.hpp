#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "av.hpp"

namespace svi {

/// Turns decoded sound into fp32 samples of one rate and number of channels; private to io/.
class Resampler {
 public:
  /// From frames such as `first`. Throws IoError naming `path`.
  Resampler(const std::string& path, const AVFrame* first, std::int64_t rate,
            std::int64_t channels);

  /// [channels, N] fp32: what this frame completes. Throws IoError where it is of another kind than
  /// the first.
  at::Tensor push(const AVFrame* frame);
  /// What is left at the end.
  at::Tensor flush();

 private:
  struct ContextTraits {
    using Raw = SwrContext*;
    static Raw null() noexcept { return nullptr; }
    static void close(Raw raw) noexcept { swr_free(&raw); }
  };

  at::Tensor convert(const std::uint8_t** data, int count);

  std::string path_;
  std::int64_t rate_, channels_;
  int in_rate_, in_channels_, in_format_;
  Handle<ContextTraits> context_;
};

}  // namespace svi
