#include "svi/train/optimizer.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <numbers>

#include "svi/core/check.hpp"
#include "train/state_detail.hpp"

namespace svi {

std::vector<std::string> enum_names(LearningRateSchedule) { return {"constant", "cosine"}; }

void OptimizerConfig::describe(OptionVisitor& visit) {
  visit(learning_rate, {.key = "learning_rate", .help = "step size of AdamW", .min = 0});
  visit(beta1, {.key = "beta1", .help = "decay of the gradient's mean", .min = 0, .max = 1});
  visit(beta2, {.key = "beta2", .help = "decay of the gradient's mean square", .min = 0, .max = 1});
  visit(epsilon, {.key = "epsilon", .help = "added to the root of the mean square", .min = 0});
  visit(weight_decay, {.key = "weight_decay", .help = "decoupled weight decay", .min = 0});
  visit(clip_norm, {.key = "clip_norm",
                    .help = "limit of the norm of the whole gradient; 0: no limit",
                    .min = 0});
  visit(schedule, {.key = "schedule", .help = "course of the learning rate after its warm-up"});
  visit(warmup_steps, {.key = "warmup_steps",
                       .help = "steps of linear growth of the learning rate",
                       .unit = "step",
                       .min = 0});
  visit(final_fraction, {.key = "final_fraction",
                         .help = "end of the cosine, as a fraction of learning_rate",
                         .min = 0,
                         .max = 1});
}

Optimizer::Optimizer(OptimizerConfig config, at::Tensor parameters, std::int64_t total_steps)
    : config_(config), total_steps_(total_steps), parameters_(std::move(parameters)) {
  SVI_CHECK(parameters_.dim() == 1 && parameters_.scalar_type() == at::kFloat &&
                parameters_.is_contiguous(),
            "the optimizer needs one flat fp32 buffer, got ", parameters_.sizes());
  first_moment_ = at::zeros_like(parameters_);
  second_moment_ = at::zeros_like(parameters_);
}

double Optimizer::learning_rate(std::int64_t step) const {
  const auto done = static_cast<double>(step);
  if (step < config_.warmup_steps) {
    return config_.learning_rate * (done + 1) / static_cast<double>(config_.warmup_steps);
  }
  if (config_.schedule == LearningRateSchedule::constant) return config_.learning_rate;
  const auto length =
      static_cast<double>(std::max<std::int64_t>(total_steps_ - config_.warmup_steps, 1));
  const double progress =
      std::min((done - static_cast<double>(config_.warmup_steps)) / length, 1.0);
  const double cosine = 0.5 + 0.5 * std::cos(std::numbers::pi * progress);
  return config_.learning_rate * (config_.final_fraction + (1 - config_.final_fraction) * cosine);
}

UpdateReport Optimizer::update(at::Tensor& gradient) {
  const c10::NoGradGuard no_grad;
  SVI_CHECK(gradient.sizes() == parameters_.sizes(), "gradient ", gradient.sizes(),
            " vs parameters ", parameters_.sizes());
  const UpdateReport report{.gradient_norm = gradient.norm().item<double>(),
                            .learning_rate = learning_rate(steps_)};
  SVI_CHECK(std::isfinite(report.gradient_norm), "the gradient of update ", steps_,
            " is not finite");
  if (config_.clip_norm > 0 && report.gradient_norm > config_.clip_norm) {
    gradient.mul_(config_.clip_norm / (report.gradient_norm + 1e-6));
  }
  ++steps_;
  const auto step = at::full({}, static_cast<double>(steps_), parameters_.options());
  std::vector<at::Tensor> parameters{parameters_}, gradients{gradient}, first{first_moment_},
      second{second_moment_};
  at::_fused_adamw_(parameters, gradients, first, second, /*max_exp_avg_sqs=*/{}, {step},
                    report.learning_rate, config_.beta1, config_.beta2, config_.weight_decay,
                    config_.epsilon, /*amsgrad=*/false,
                    /*maximize=*/false);
  return report;
}

NamedTensors Optimizer::state() const {
  return {{"optimizer.steps", at::scalar_tensor(steps_, at::kLong)},
          {"optimizer.first_moment", first_moment_.clone()},
          {"optimizer.second_moment", second_moment_.clone()}};
}

void Optimizer::load(const NamedTensors& state) {
  const detail::StateReader reader(state);
  const auto steps = reader.get("optimizer.steps", {}).item<std::int64_t>();
  const auto first = reader.get("optimizer.first_moment", parameters_.sizes());
  const auto second = reader.get("optimizer.second_moment", parameters_.sizes());
  steps_ = steps;
  first_moment_.copy_(first);
  second_moment_.copy_(second);
}

}  // namespace svi
