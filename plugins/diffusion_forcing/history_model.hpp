#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <svi/model/model.hpp>
#include <vector>

#include "diffusion_forcing/history_passes.hpp"

namespace forcing {

/// A model under history guidance: every velocity of a window is a weighted sum of passes that see
/// its history noised to different levels. Borrows the model.
class HistoryModel final : public svi::VelocityModel {
 public:
  /// The window of one evaluation.
  struct Window {
    at::Tensor history;      // [B, C, h, h', w]  clean frames, the first of the window
    std::vector<bool> made;  // [h]  made by the model; else given
    at::Tensor noise;        // [B, C, F, h', w]  joins noised frames
    double told = 0;         // flow time of a history that is as clean as it gets
  };

  HistoryModel(const svi::VelocityModel& model, const HistoryScheme& scheme, Window window);

  /// How many passes a velocity takes: levels x parts.
  std::int64_t passes() const;

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const svi::Condition& condition) const override;
  std::string first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                               const svi::Condition& condition) const override {
    return model_.first_non_finite(noisy, timestep, condition);
  }

 private:
  at::Tensor pass(const HistoryPass& pass, const std::vector<std::int64_t>& part,
                  const at::Tensor& noisy, const at::Tensor& timestep,
                  const svi::Condition& condition) const;

  const svi::VelocityModel& model_;
  Window window_;
  std::vector<HistoryPass> passes_;
  std::vector<std::vector<std::int64_t>> parts_;  // of the new frames
  double clearest_ = 1;                           // least level of the first history frame
};

}  // namespace forcing
