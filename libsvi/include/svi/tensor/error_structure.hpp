#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/core/random.hpp"

namespace svi {

/// What is left of a recalled error's structure when it is injected: controls that keep its power
/// and break the rest.
enum class ErrorStructure {
  intact,    // the error itself
  shuffled,  // its places permuted, all channels alike
  gaussian,  // white Gaussian noise of its RMS, channel by channel
};
SVI_EXPORT std::vector<std::string> enum_names(ErrorStructure);

/// `error` [C, F, h, w] with its places (F, h, w) permuted, all channels alike: every channel keeps
/// its values and every place the relation between its channels; what is near what is lost. The
/// permutation is a function of key and number of places alone.
SVI_EXPORT at::Tensor permute_places(const at::Tensor& error, const RandomKey& key);

/// White Gaussian noise of the sizes of `error` [C, F, h, w] and exactly its RMS: channel by
/// channel, or overall.
SVI_EXPORT at::Tensor gaussian_like(const at::Tensor& error, bool per_channel,
                                    const RandomKey& key);

/// `error` with the structure asked for.
SVI_EXPORT at::Tensor restructured(const at::Tensor& error, ErrorStructure structure,
                                   const RandomKey& key);

}  // namespace svi
