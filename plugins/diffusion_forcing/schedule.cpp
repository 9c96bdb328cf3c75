#include "diffusion_forcing/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <svi/core/check.hpp>

namespace forcing {
namespace {

using svi::ConfigError;
using svi::raise;

void require_blocks(std::int64_t frames, std::int64_t block) {
  if (frames % block == 0) return;
  const auto below = frames / block * block;
  raise<ConfigError>("[method] block = ", block, ": a chunk of ", frames,
                     " latent frames is no whole number of blocks; choose a block that divides ",
                     frames, ", or chunks of ", below > 0 ? svi::cat(below, " or ") : "",
                     below + block);
}

/// Throws where a frame moves that the model does not see.
void require_seen(const ScheduleRow& row, std::int64_t ready) {
  for (std::size_t i = 0; i < row.from.size(); ++i) {
    const auto frame = ready + static_cast<std::int64_t>(i);
    if (row.from[i] == row.to[i] || (frame >= row.first && frame < row.end)) continue;
    raise<ConfigError>("[method]: frame ", i, " of a chunk would move outside of the window of ",
                       row.end - row.first,
                       " latent frames; make chunk smaller, window larger, or ar_step larger");
  }
}

/// A step of the block that begins at frame `begin`, which sees what stands before it; `levels` are
/// those after it then.
ScheduleRow block_row(std::vector<std::int64_t>& levels, std::int64_t begin, std::int64_t block,
                      std::int64_t ready, std::int64_t window) {
  ScheduleRow row{levels, levels};
  for (auto f = begin; f < begin + block; ++f) --row.to[static_cast<std::size_t>(f)];
  row.end = ready + begin + block;
  row.first = std::max<std::int64_t>(0, row.end - window);
  require_seen(row, ready);
  levels = row.to;
  return row;
}

std::int64_t delay(Matrix kind, std::int64_t steps, std::int64_t frames, double uncertainty,
                   std::int64_t frame) {
  const auto place = kind == Matrix::trapezoid ? std::min(frame, frames - 1 - frame) : frame;
  if (kind == Matrix::full_sequence) return 0;
  if (kind == Matrix::autoregressive) return steps * frame;
  return static_cast<std::int64_t>(std::floor(static_cast<double>(place) * uncertainty));
}

}  // namespace

std::vector<std::string> enum_names(Matrix) {
  return {"full_sequence", "autoregressive", "pyramid", "trapezoid"};
}

LevelMatrix level_matrix(Matrix kind, std::int64_t steps, std::int64_t frames, double uncertainty) {
  std::vector<std::int64_t> delays;
  for (std::int64_t f = 0; f < frames; ++f)
    delays.push_back(delay(kind, steps, frames, uncertainty, f));
  const auto height = steps + *std::max_element(delays.begin(), delays.end()) + 1;
  LevelMatrix matrix;
  for (std::int64_t m = 0; m < height; ++m) {
    auto& row = matrix.emplace_back();
    for (const auto d : delays) row.push_back(std::clamp<std::int64_t>(steps + d - m, 0, steps));
  }
  return matrix;
}

std::vector<ScheduleRow> rows_of(const LevelMatrix& matrix, std::int64_t ready,
                                 std::int64_t window) {
  std::vector<ScheduleRow> rows;
  for (std::size_t m = 0; m + 1 < matrix.size(); ++m) {
    if (matrix[m] == matrix[m + 1]) continue;
    const auto all = ready + static_cast<std::int64_t>(matrix[m].size());
    rows.push_back({matrix[m], matrix[m + 1], std::max<std::int64_t>(0, all - window), all});
    require_seen(rows.back(), ready);
  }
  return rows;
}

std::vector<ScheduleRow> skyreels_rows(std::int64_t steps, std::int64_t frames,
                                       std::int64_t ar_step, std::int64_t block, std::int64_t ready,
                                       std::int64_t window) {
  require_blocks(frames, block);
  const auto blocks = static_cast<std::size_t>(frames / block);
  const auto all = ready + frames;
  // Counters of steps done: 0 before a block begins, K + 1 the row after it is clean.
  std::vector<std::int64_t> done(blocks, 0);
  std::vector<ScheduleRow> rows;
  auto end = std::min(window, all);
  while (std::any_of(done.begin(), done.end(), [&](auto count) { return count < steps; })) {
    std::vector<std::int64_t> next(blocks);
    for (std::size_t i = 0; i < blocks; ++i)
      next[i] = i == 0 || done[i - 1] >= steps ? done[i] + 1 : next[i - 1] - ar_step;
    for (auto& count : next) count = std::clamp<std::int64_t>(count, 0, steps + 1);
    SVI_CHECK(next != done, "the schedule stands still");
    ScheduleRow row;
    for (std::size_t f = 0; f < static_cast<std::size_t>(frames); ++f) {
      const auto i = f / static_cast<std::size_t>(block);
      const bool moves = next[i] != done[i] && next[i] <= steps;
      row.from.push_back(next[i] == 0 ? steps : steps + 1 - next[i]);
      row.to.push_back(row.from.back() - (moves ? 1 : 0));
    }
    const auto behind = static_cast<std::size_t>(std::max<std::int64_t>(end - ready, 0));
    if (end < all && row.from[behind] != row.to[behind]) end = std::min(end + block, all);
    row.first = std::max<std::int64_t>(0, end - window);
    row.end = end;
    require_seen(row, ready);
    rows.push_back(std::move(row));
    done = next;
  }
  return rows;
}

std::vector<ScheduleRow> hierarchical_rows(std::int64_t steps, std::int64_t frames,
                                           std::int64_t block, std::int64_t ready,
                                           std::int64_t window) {
  require_blocks(frames, block);
  std::vector<ScheduleRow> rows;
  std::vector<std::int64_t> levels(static_cast<std::size_t>(frames), steps);
  for (std::int64_t level = steps; level > 0; --level) {
    for (std::int64_t begin = 0; begin < frames; begin += block) {
      rows.push_back(block_row(levels, begin, block, ready, window));
      rows.back().context = level - 1;
    }
  }
  return rows;
}

std::vector<ScheduleRow> causal_rows(std::int64_t steps, std::int64_t frames, std::int64_t block,
                                     std::int64_t ready, std::int64_t window) {
  require_blocks(frames, block);
  std::vector<ScheduleRow> rows;
  std::vector<std::int64_t> levels(static_cast<std::size_t>(frames), steps);
  for (std::int64_t begin = 0; begin < frames; begin += block) {
    for (std::int64_t level = steps; level > 0; --level)
      rows.push_back(block_row(levels, begin, block, ready, window));
  }
  return rows;
}

}  // namespace forcing
