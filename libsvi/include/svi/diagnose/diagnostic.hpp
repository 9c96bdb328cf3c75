#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "svi/data/clip_source.hpp"
#include "svi/io/result_file.hpp"
#include "svi/method/chain.hpp"
#include "svi/method/rollout.hpp"
#include "svi/model/model.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/plugin/component.hpp"
#include "svi/sampler/sampler.hpp"

namespace svi {

/// One arm's model and everything that makes films with it; borrowed for the call.
struct DiagnosticView {
  const Studio& studio;          // its model has the arm's adapter merged in
  const ClipSource& source;      // held-out scenes
  at::Device device;             // where tensors must be
  std::int64_t first_scene = 0;  // held-out scene with which the run's evaluation begins
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};  // may be empty
};

/// One table of numbers that a diagnostic gives.
struct DiagnosticResult {
  std::string name;                     // snake_case, unique in its diagnostic: "gain"
  std::string unit;                     // as in docs/notation.md
  std::string meaning;                  // one sentence for users
  std::vector<std::string> dimensions;  // names, one per dimension of `values`
  at::Tensor values;                    // fp64, CPU; NaN where there is nothing to say
};

/// All tables, and the values along those dimensions that have some ("direction", "sigma").
struct DiagnosticReport {
  std::vector<ResultScale> axes;          // unique names
  std::vector<DiagnosticResult> results;  // the tables
};

/// Looks into one trained model once its training is done: not how good its films are, but why.
///
/// One job per arm and seed runs it, on one rank. Sizes and axes must be functions of the
/// diagnostic's own options, the clip's shape and the codec alone, so that all arms fill one table.
/// Random numbers are keyed by Purpose::diagnostic, [rollout] seed and the scene. No gradients.
class SVI_EXPORT Diagnostic : public Component {
 public:
  static constexpr std::string_view kKind = "diagnostic";
  ~Diagnostic() override;

  /// Throws svi::Error if the report breaks a rule: a name twice, an axis and its dimension that
  /// differ in length, a tensor of another dtype, device or number of dimensions.
  DiagnosticReport run(const DiagnosticView& view) const;

 private:
  virtual DiagnosticReport do_run(const DiagnosticView& view) const = 0;
};

}  // namespace svi
