#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/model/condition.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

/// Where sampling stands when a guidance is asked.
struct GuidanceStep {
  std::int64_t index = 0;  // of the step, from 0
  double sigma = 1;        // flow time of the noisiest frame, in [0, 1]; 1 is pure noise
};

/// One evaluation of the model within a step.
struct GuidancePass {
  std::string name;     // for messages, such as "positive"
  Condition condition;  // what the model is told
  double weight = 1;    // of this pass's velocity; that of the first pass is 1 minus the others'
};

/// Classifier-free guidance in general: which passes of the model a step makes, and how their
/// velocities combine.
///
/// The first pass is the base: v = v_0 + sum over i > 0 of w_i (v_i - v_0), so the weights always
/// sum to one and a velocity on which all passes agree stays as it is. A pure function of its
/// arguments; no ranks, no state.
class SVI_EXPORT Guidance : public Component {
 public:
  static constexpr std::string_view kKind = "guidance";
  ~Guidance() override;

  /// Passes of one step, at least one. `negative` is what an unconditional pass is told; a guidance
  /// that makes such a pass throws Error where it is empty.
  std::vector<GuidancePass> passes(const GuidanceStep& step, const Condition& positive,
                                   const Condition& negative) const;

 private:
  virtual std::vector<GuidancePass> do_passes(const GuidanceStep& step, const Condition& positive,
                                              const Condition& negative) const = 0;
};

}  // namespace svi
