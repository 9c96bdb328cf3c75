#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace forcing {

/// Frames of the history that a guidance looks at, and between which levels.
struct HistorySegment {
  std::vector<std::int64_t> frames = {};  // indices, negative ones from the end; empty: all
  double start = 0;                       // flow time in the pass that adds
  double start_if_made = 0;               // the same for frames that the model made: stabilisation
  double end = 1;                         // flow time in the pass that is subtracted
  double weight = 1;
};

/// History guidance (Song et al. 2025): v = v(h@1) + sum_i w_i (v(h_i@start_i) - v(h_i@end_i)),
/// where h@l is the history noised to flow time l, and frames outside of a segment are at 1.
struct HistoryScheme {
  std::vector<HistorySegment> segments;              // none: no guidance, the history as it is
  std::vector<std::vector<std::int64_t>> made = {};  // parts of the new frames that are made by
                                                     // themselves and averaged; none: all at once
  bool drop_condition = true;  // passes that stand for less history lose the external condition
};

/// One pass of the model: the history's levels, and its weight. All weights sum to one.
struct HistoryPass {
  std::vector<double> levels;  // [h]  flow time of each history frame
  bool drop = false;           // the external condition
  double weight = 1;
};

/// The passes of a scheme for a history of which the model made the frames `made`, [h]. Equal
/// passes are one; those whose weights cancel are none. Throws ConfigError where a segment names a
/// frame that the history does not have.
std::vector<HistoryPass> passes_of(const HistoryScheme& scheme, const std::vector<bool>& made);

/// "0+1+-1" as indices; "all" as none. Throws ConfigError that names the option.
std::vector<std::int64_t> frame_indices(const std::string& text, const char* option);

}  // namespace forcing
