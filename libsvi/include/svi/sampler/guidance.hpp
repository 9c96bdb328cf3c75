#pragma once

#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// How the two passes of classifier-free guidance run: one after the other, or as one pass over a
/// batch of 2 B, which needs the activations of both at once. Equal up to rounding.
enum class CfgMode { separate, batched };

SVI_EXPORT std::vector<std::string> enum_names(CfgMode);

/// Classifier-free guidance, common to all samplers: v = v_negative + cfg (v_positive -
/// v_negative).
struct Guidance {
  double cfg = 5;                    // scale; 1 is off
  CfgMode mode = CfgMode::separate;  // one pass or two
};

}  // namespace svi
