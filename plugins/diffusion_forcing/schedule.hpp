#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace forcing {

/// Levels count the sampler's steps that a frame still has to go: 0 is clean, K is pure noise.
using LevelMatrix = std::vector<std::vector<std::int64_t>>;  // [rows][frames]

/// One evaluation of the model. `ready` clean frames come first, then N new ones.
struct ScheduleRow {
  std::vector<std::int64_t> from, to;  // [N]  levels of the new frames, before and after
  std::int64_t first = 0, end = 0;     // the model sees frames first .. end - 1 of all ready + N
  std::int64_t context = -1;           // level of the ready frames; -1: what the method says
};

/// How the levels of a chunk fall.
enum class Matrix { full_sequence, autoregressive, pyramid, trapezoid };
std::vector<std::string> enum_names(Matrix);

/// The schedule matrices of Diffusion Forcing (Chen et al. 2024): level [m][f] = clip(K + d(f) - m,
/// 0, K), where frame f begins d(f) rows after the first. full_sequence: d = 0. pyramid: d =
/// floor(u f). autoregressive: d = K f, one frame after the other. trapezoid: d = floor(u min(f, N
/// - 1 - f)), from both ends to the middle. The last row is clean.
///
/// The published trapezoid counts its right half from -0, so that column N - 1 begins one later
/// than column 0, and for even N it leaves column N / 2 at level 0 from the start; this one is
/// symmetric.
LevelMatrix level_matrix(Matrix kind, std::int64_t steps, std::int64_t frames, double uncertainty);

/// The steps of a matrix; rows in which nothing moves cost nothing. The model sees the last
/// `window` frames. Throws ConfigError where a frame would move unseen.
std::vector<ScheduleRow> rows_of(const LevelMatrix& matrix, std::int64_t ready,
                                 std::int64_t window);

/// The asynchronous schedule of SkyReels-V2 (Chen et al. 2025): blocks of `block` frames share a
/// level; a block is `ar_step` steps behind the one before it, or goes on alone once that is clean;
/// ar_step = 0: all together. The model sees a window that slides on when the first frame behind it
/// begins. Throws ConfigError where N is no multiple of `block`, or where a window cannot hold all
/// frames that move: ar_step must then be at least K / (blocks in the window).
std::vector<ScheduleRow> skyreels_rows(std::int64_t steps, std::int64_t frames,
                                       std::int64_t ar_step, std::int64_t block, std::int64_t ready,
                                       std::int64_t window);

/// The step-first order of HiAR (2026): step s takes one block after the other from level K - s to
/// K - s - 1; a block sees the blocks before it, which have taken this step, and the history
/// re-noised to that very level, and nothing behind it. N / block x K rows.
std::vector<ScheduleRow> hierarchical_rows(std::int64_t steps, std::int64_t frames,
                                           std::int64_t block, std::int64_t ready,
                                           std::int64_t window);

/// Blocks one after the other, as of Self-Forcing (Huang et al. 2025): a block goes from noise to
/// clean in K steps, sees the clean blocks before it and the history, and nothing behind it. N /
/// block x K rows.
std::vector<ScheduleRow> causal_rows(std::int64_t steps, std::int64_t frames, std::int64_t block,
                                     std::int64_t ready, std::int64_t window);

}  // namespace forcing
