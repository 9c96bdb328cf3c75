#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <vector>

#include "svi/core/export.hpp"

// Exported for the test and the benchmark of the search alone.
namespace svi::detail {

/// Into how many segments a residual is cut for the search.
inline constexpr std::size_t kSegments = 16;

/// Norms of a residual from each segment to the end: `tail[0]` is its norm, `tail[kSegments]` is 0.
struct TailNorms {
  std::array<double, kSegments + 1> tail{};
};

/// Requires a contiguous CPU tensor in bf16 or fp32.
SVI_EXPORT TailNorms tail_norms(const at::Tensor& residual);

/// One stored residual as the search sees it; borrowed.
struct Candidate {
  const at::Tensor* residual = nullptr;
  const TailNorms* norms = nullptr;
};

/// Index of the candidate with the smallest L2 distance to `query`; the first of equals. Candidates
/// of other shapes than the query's rank last, in order. Requires at least one candidate, all in
/// one dtype, contiguous, on the CPU, finite.
SVI_EXPORT std::size_t nearest(const std::vector<Candidate>& candidates, const Candidate& query);

}  // namespace svi::detail
