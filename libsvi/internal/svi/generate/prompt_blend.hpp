#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/method/studio.hpp"

namespace svi {

/// A prompt between two: (1 - step / steps) of one's text context and step / steps of the other's.
struct PromptBlend {
  std::string from, to;              // the two prompts
  std::int64_t step = 1, steps = 2;  // 0 < step < steps
};

/// The blend as one text, so that every method hands it on as it does any prompt. It holds a
/// control character, which no prompt of a user's may have.
SVI_EXPORT std::string blended_prompt(const PromptBlend& blend);

/// What such a text says; nothing where it is a plain prompt.
SVI_EXPORT std::optional<PromptBlend> blend_of(const std::string& prompt);

/// Prompts, blended ones among them, to text context [B, L, D]; `encode` sees plain prompts alone.
SVI_EXPORT at::Tensor encode_blends(const std::vector<std::string>& prompts,
                                    const EncodeText& encode);

}  // namespace svi
