#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/encoder/tokenizer.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// What identifies weights without reading them whole: SHA-256 over every name, dtype, shape and
/// the first and last 64 KiB of every tensor, in the order given. umT5-XXL's 11 GB cost 30 MB of
/// reading. Any training changes every tensor from its first values on; a file patched by hand in
/// the middle of a tensor alone is not told apart.
SVI_EXPORT std::string weights_identity(const NamedTensors& weights);

/// Where text features are kept unless told otherwise: $XDG_CACHE_HOME/svi/text, else
/// ~/.cache/svi/text; empty where neither variable is set.
SVI_EXPORT std::filesystem::path default_text_cache();

/// Wan's text condition: a prompt is cleaned, tokenized and encoded by umT5; rows after the end
/// symbol are zero.
///
/// Features are kept on disk, one safetensors file a prompt with the real rows only, under the
/// SHA-256 of weights identity, tokenizer file, cleaned text, length and dtype. A file is checked
/// against its own text and checksum when read; a damaged one is computed again, with a warning. A
/// cache that can't be written costs a warning, nothing else. Several processes may share it. The
/// network is opened at the first prompt that is not in the cache. One thread at a time.
class SVI_EXPORT WanTextEncoder {
 public:
  /// ids [1, n] int64, CPU, without padding -> [1, n, D]. A prompt runs alone and unpadded: umT5
  /// masks padding out, so the numbers are those of 512 padded rows.
  using Encode = std::function<at::Tensor(const at::Tensor& ids)>;

  struct Config {
    std::string weights;        // identity of the network's weights, from weights_identity
    std::int64_t length = 512;  // L, tokens
    std::int64_t dim = 4096;    // D, width of the context
    at::ScalarType dtype = at::ScalarType::BFloat16;  // of the weights and the computation
    /// Folder of the cache; unset: default_text_cache(); empty: none.
    std::optional<std::filesystem::path> cache = {};
  };

  /// `open` makes the network when it is needed.
  WanTextEncoder(Tokenizer tokenizer, std::function<Encode()> open, Config config);

  /// [B, length, dim] on the CPU in the configured dtype. Throws what the network throws; Error
  /// where its output has another shape or is not finite.
  at::Tensor encode(const std::vector<std::string>& prompts);

  /// The prompt as it is encoded, and how many bytes of it the encoder reads.
  std::pair<std::string, std::size_t> read_part(std::string_view prompt) const;

  /// Lets go of the network; a later cache miss opens it again.
  void release() { network_ = nullptr; }
  bool is_open() const { return network_ != nullptr; }  // whether the network is in memory

  /// Where the features of a prompt are kept; empty without a cache.
  std::filesystem::path cache_file(std::string_view prompt) const;

 private:
  at::Tensor rows(const std::string& text);  // [n, dim] of a cleaned text
  std::filesystem::path file_of(const std::string& text) const;
  at::Tensor compute(const std::vector<std::int64_t>& ids);

  Tokenizer tokenizer_;
  std::function<Encode()> open_;
  Config config_;
  Encode network_;
};

}  // namespace svi
