#pragma once

#include <string>

#include "svi/core/check.hpp"
#include "svi/model/causal.hpp"
#include "svi/model/model.hpp"
#include "svi/parallel/job_queue.hpp"
#include "svi/parallel/stop.hpp"

namespace svi {

/// A model that leaves the job before its next pass once a stop is requested: films and
/// measurements of which nothing is kept before their end. Borrows both.
class StoppableModel final : public VelocityModel, public CausalModel {
 public:
  StoppableModel(const VelocityModel& model, const StopRequest& stop)
      : model_(model), stop_(stop) {}

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    if (stop_.requested()) throw JobStopped();
    return model_.velocity(noisy, timestep, condition);
  }
  /// Of a model that can; throws ConfigError where it cannot.
  at::Tensor velocity_behind(const FrameKeys& past, const at::Tensor& noisy,
                             const at::Tensor& timestep, const Condition& condition,
                             FrameKeys* kept) const override {
    if (stop_.requested()) throw JobStopped();
    const auto* causal = dynamic_cast<const CausalModel*>(&model_);
    if (causal == nullptr)
      raise<ConfigError>(
          "[method] cache = on needs [evaluation] split = off: a model that is split "
          "over ranks cannot keep keys and values of frames");
    return causal->velocity_behind(past, noisy, timestep, condition, kept);
  }
  std::string first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                               const Condition& condition) const override {
    return model_.first_non_finite(noisy, timestep, condition);
  }

 private:
  const VelocityModel& model_;
  const StopRequest& stop_;
};

}  // namespace svi
