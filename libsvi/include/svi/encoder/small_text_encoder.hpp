#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "svi/plugin/component.hpp"

namespace svi {

/// The text encoder of small models, which needs no file. A folder of weights that was trained here
/// names one in its folder.ini (FolderConfig::text_encoder). It has the options `length` (L) and
/// `dim` (D), which a reader of the folder sets. Thread-safe.
class SVI_EXPORT SmallTextEncoder : public Component {
 public:
  static constexpr std::string_view kKind = "text_encoder";

  /// [B, L, D] fp32 on the CPU; zero rows after a text's end.
  virtual at::Tensor encode(const std::vector<std::string>& texts) const = 0;
  /// How many bytes of a text are read; the rest is cut off.
  virtual std::size_t read_bytes(std::string_view text) const = 0;
  /// What L counts, for people: "words".
  virtual const char* unit() const = 0;
};

}  // namespace svi
