#pragma once

#include <string>

#include "svi/model/model.hpp"
#include "svi/parallel/job_queue.hpp"
#include "svi/parallel/stop.hpp"

namespace svi {

/// A model that leaves the job before its next pass once a stop is requested: films and
/// measurements of which nothing is kept before their end. Borrows both.
class StoppableModel final : public VelocityModel {
 public:
  StoppableModel(const VelocityModel& model, const StopRequest& stop)
      : model_(model), stop_(stop) {}

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    if (stop_.requested()) throw JobStopped();
    return model_.velocity(noisy, timestep, condition);
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
