#include "diffusion_forcing/history_model.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <svi/core/check.hpp>

namespace forcing {
namespace {

constexpr double kTimesteps = 1000;  // of flow time 1

/// Rows for a batch of several passes.
at::Tensor for_rows(const at::Tensor& x, std::int64_t rows) {
  return x.size(0) == rows ? x : x.repeat({rows / x.size(0), 1, 1, 1, 1});
}

}  // namespace

HistoryModel::HistoryModel(const svi::VelocityModel& model, const HistoryScheme& scheme,
                           Window window)
    : model_(model),
      window_(std::move(window)),
      passes_(passes_of(scheme, window_.made)),
      parts_(scheme.made) {
  SVI_CHECK(window_.history.size(2) == static_cast<std::int64_t>(window_.made.size()),
            "every history frame is made or given");
  for (const auto& pass : passes_)
    if (!pass.levels.empty()) clearest_ = std::min(clearest_, pass.levels.front());
  const auto made = window_.noise.size(2) - window_.history.size(2);
  for (auto& part : parts_) {
    for (auto& frame : part) {
      const auto named = frame;
      if (frame < 0) frame += made;
      if (frame >= 0 && frame < made) continue;
      svi::raise<svi::ConfigError>("[method] parts: there is no frame ", named, " among ", made,
                                   " new latent frames");
    }
  }
}

std::int64_t HistoryModel::passes() const {
  const auto parts = std::max<std::size_t>(parts_.size(), 1);
  return static_cast<std::int64_t>(passes_.size() * parts);
}

at::Tensor HistoryModel::velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                                  const svi::Condition& condition) const {
  const auto h = window_.history.size(2), F = noisy.size(2);
  const auto sum_of = [&](const std::vector<std::int64_t>& part) {
    auto sum = at::zeros_like(noisy);
    for (const auto& each : passes_)
      sum.add_(pass(each, part, noisy, timestep, condition), each.weight);
    return sum;
  };
  if (parts_.empty()) return sum_of({});
  // Frames of several parts are the mean of what the parts say; a frame of none does not move.
  auto sum = at::zeros_like(noisy);
  auto count = at::zeros({F}, noisy.options());
  for (const auto& part : parts_) {
    const auto velocity = sum_of(part);
    for (const auto frame : part) {
      sum.select(2, h + frame).add_(velocity.select(2, h + frame));
      count[h + frame] += 1;
    }
  }
  return sum / count.clamp_min(1).view({1, 1, -1, 1, 1});
}

at::Tensor HistoryModel::pass(const HistoryPass& pass, const std::vector<std::int64_t>& part,
                              const at::Tensor& noisy, const at::Tensor& timestep,
                              const svi::Condition& condition) const {
  const auto rows = noisy.size(0), h = window_.history.size(2), F = noisy.size(2);
  SVI_CHECK(timestep.dim() == 2 && timestep.size(1) == F, "history guidance needs times [B, F]");
  auto x = noisy.clone();
  auto times = timestep.clone();
  const auto history = for_rows(window_.history, rows), noise = for_rows(window_.noise, rows);
  for (std::int64_t f = 0; f < h; ++f) {
    const auto level = pass.levels[static_cast<std::size_t>(f)];
    x.select(2, f).copy_((1 - level) * history.select(2, f) + level * noise.select(2, f));
    times.select(1, f).fill_(kTimesteps * std::max(level, window_.told));
  }
  for (std::int64_t f = h; f < F && !part.empty(); ++f) {
    if (std::find(part.begin(), part.end(), f - h) != part.end()) continue;
    x.select(2, f).copy_(noise.select(2, f));
    times.select(1, f).fill_(kTimesteps);
  }
  auto seen = condition;
  // The condition image shows the window's first frame as clean as it gets: no pass may see it that
  // is shown a noisier one.
  const bool hidden = h > 0 && pass.levels.front() > clearest_;
  if (pass.drop || hidden) {
    for (const auto& name : {svi::part::kImage, svi::part::kClip})
      if (seen.has(name)) seen.set(name, at::zeros_like(seen[name]));
  }
  return model_.velocity(x, times, seen).to(noisy.scalar_type());
}

}  // namespace forcing
