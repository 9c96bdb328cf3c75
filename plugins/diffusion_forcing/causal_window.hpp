#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <svi/model/causal.hpp>
#include <svi/model/model.hpp>
#include <vector>

namespace forcing {

/// Keys and values of the frames that blocks stand behind, for each pass that a guidance makes.
///
/// Frames are told apart by their values, flow times and images, passes by what they are told. What
/// leaves the window leaves the cache, so it holds no more frames than a window does, times passes.
class KeyCache {
 public:
  /// Keys of `frames`, [B, C, m, h, w] at `times` [B, m], in this order: those that are there, and
  /// behind them the others, computed together as one block. Counts what it computed in `frames`.
  struct Found {
    const svi::FrameKeys& keys;
    std::int64_t computed = 0;  // frames
  };
  Found find(const svi::CausalModel& model, const at::Tensor& frames, const at::Tensor& times,
             const svi::Condition& condition);

  void clear() { entries_.clear(); }
  std::int64_t bytes() const;  // of all keys and values

 private:
  struct Entry {
    svi::Condition told;  // of its image, the frame that the window begins with
    std::vector<at::Tensor> frames, times, images;  // images: what each frame is told
    svi::FrameKeys keys;
  };
  Entry& entry(const svi::Condition& told);

  std::vector<Entry> entries_;  // the latest last
};

/// A model whose window is causal: its first frames are seen by the others and do not see them, so
/// that their keys and values come from a cache. Borrows model and cache.
class CausalWindow final : public svi::VelocityModel {
 public:
  /// `past` frames of each window stand; the others are a block, seen at once. `batch`: films.
  /// Throws ConfigError where the model cannot show frames behind others.
  CausalWindow(const svi::VelocityModel& model, KeyCache& cache, std::int64_t past,
               std::int64_t batch);

  /// The velocity of the block; that of frames that stand is zero.
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const svi::Condition& condition) const override;
  std::string first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                               const svi::Condition& condition) const override {
    return model_.first_non_finite(noisy, timestep, condition);
  }

  /// Evaluations beside those asked for, per film: frames of which keys were made.
  std::int64_t written() const { return written_; }

  /// The model as one that shows frames behind others. Throws ConfigError where it is none.
  static const svi::CausalModel& causal(const svi::VelocityModel& model);

 private:
  const svi::VelocityModel& model_;
  const svi::CausalModel& causal_;
  KeyCache& cache_;
  std::int64_t past_, batch_;
  mutable std::int64_t written_ = 0;
};

}  // namespace forcing
