#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/tensor/banked_error.hpp"

// Exported for the test and the benchmark of the search alone.
namespace svi::detail {

/// Into how many runs of whole [h, w] planes a residual is cut for the search.
inline constexpr std::size_t kSegments = 16;

/// What a bank keeps about a residual, so that a search need not read it all.
///
/// The coarse part of a residual is its projection on blocks of 4 x 8 pixels (an orthonormal one:
/// sum over the block by the root of its size), the fine part is the rest.
struct Fingerprint {
  /// Norms from each segment to the end: of all, of the coarse and of the fine part; `whole[0]` is
  /// the norm of the residual.
  std::array<double, kSegments + 1> whole{}, coarse{}, fine{};
  at::Tensor sketch;  // bf16: coarse coefficients, by segment; undefined where no search needs it
  std::array<std::size_t, kSegments + 1> sketch_begin{};
};

/// Requires a contiguous CPU tensor [C, F, h, w] in bf16 or fp32.
SVI_EXPORT Fingerprint fingerprint(const at::Tensor& residual);

/// One stored error as the search sees it; borrowed.
struct Candidate {
  const at::Tensor* residual = nullptr;
  const Fingerprint* print = nullptr;
  /// The errors at both ends are compared, all candidates' and the query's; null: residuals are.
  const BankedError* error = nullptr;
  const Fingerprint* both = nullptr;  // of these errors, [2 C, F, h, w]; null: there is no offset
};

/// Index of the candidate with the smallest L2 distance to `query`; the first of equals. Candidates
/// of other shapes than the query's rank last, in order. Requires at least one candidate, all in
/// one dtype, contiguous, on the CPU, finite.
SVI_EXPORT std::size_t nearest(const std::vector<Candidate>& candidates, const Candidate& query);

}  // namespace svi::detail
