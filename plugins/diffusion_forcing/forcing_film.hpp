#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <svi/method/film.hpp>
#include <svi/method/studio.hpp>
#include <vector>

#include "diffusion_forcing/causal_window.hpp"
#include "diffusion_forcing/forcing_method.hpp"

namespace forcing {

/// A film of a ForcingMethod. Borrows the studio and the script; the plan is copied.
class ForcingFilm final : public svi::Film {
 public:
  ForcingFilm(ForcingPlan plan, const svi::Studio& studio, const svi::FilmRequest& request);

  bool streams() const override { return true; }

 private:
  /// A chunk in the making: `ready` clean frames, then new ones.
  struct Chunk {
    at::Tensor x;         // [B, z, T, h, w]  as it is
    at::Tensor estimate;  // [B, z, T, h, w]  clean, as far as known
    std::int64_t ready = 0;
  };
  /// What a row shows the model: frames first .. first + f - 1 of the chunk.
  struct View {
    std::int64_t first = 0, history = 0;  // of the f frames, so many are history
    at::Tensor x;                         // [B, z, f, h, w]
    at::Tensor from, to;                  // [f] flow times
  };

  /// New frames of a chunk, and its steps.
  struct Part {
    std::int64_t size = 0;
    std::vector<ScheduleRow> rows;
  };

  std::optional<svi::Piece> do_upcoming() const override;
  at::Tensor do_make(const svi::OnStep& on_step) override;
  void do_accept(const at::Tensor& latent, const at::Tensor& tail) override;

  void begin();
  std::vector<Part> parts() const;        // of the piece in work
  void remember(const at::Tensor& made);  // as history of what comes next
  Chunk chunk_behind(const at::Tensor& context, const at::Tensor& noise) const;
  void take(Chunk& chunk, const ScheduleRow& row);
  View view(const Chunk& chunk, const ScheduleRow& row, const at::Tensor& fresh) const;
  /// One step of the sampler for a view whose known frame is `known`, [B, z, 1, h, w].
  at::Tensor stepped(const View& view, const at::Tensor& known, const at::Tensor& fresh,
                     std::int64_t index);
  void calibrate(Chunk& chunk, const ScheduleRow& row, const at::Tensor& fresh);
  bool corrects(std::int64_t level) const;
  at::Tensor draw(std::int64_t number, std::int64_t frames) const;
  at::Tensor sigma_of(const std::vector<std::int64_t>& levels) const;
  svi::Condition condition(std::int64_t frames, const at::Tensor& known);
  /// The noise that a row's history joins, out of the row's own.
  at::Tensor history_noise(const ScheduleRow& row, const at::Tensor& fresh);
  std::int64_t window() const { return plan_.window > 0 ? plan_.window : clip_frames_; }
  std::int64_t added() const { return clip_frames_ - 1; }  // latent frames of a piece

  ForcingPlan plan_;
  const svi::Studio& studio_;
  const svi::Script& script_;
  at::Tensor image_;  // [B, 3, H, W]
  std::int64_t clips_, stride_;
  std::int64_t z_ = 0, clip_frames_ = 0, h_ = 0, w_ = 0;  // sizes of a clip's latent
  at::Tensor levels_;                                     // [K + 1] flow time of each level, from 0
  at::Tensor start_;                                      // [B, z, 1, h, w]: the image
  at::Tensor context_;                                    // [B, z, c, h, w]: the last clean frames
  std::vector<bool> made_;                                // [c]: by the model
  std::map<std::int64_t, at::Tensor> y_;                  // of a window by its frames
  svi::Condition told_;                                   // of the piece, without an image
  std::int64_t piece_ = 0, draws_ = 0;
  KeyCache cache_;                  // of the piece
  std::int64_t noised_ = -1;        // level of a history whose noise is kept
  at::Tensor noise_of_level_ = {};  // [B, z, 2 T, h, w]
};

}  // namespace forcing
