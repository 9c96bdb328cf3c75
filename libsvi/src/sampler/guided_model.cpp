#include "sampler/guided_model.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <tuple>

#include "svi/core/check.hpp"

namespace svi {
namespace {

at::Tensor join_batch(const at::Tensor& positive, const at::Tensor& negative, const char* name) {
  SVI_CHECK(positive.defined() == negative.defined(), "condition.", name,
            " is in one pass of the guidance only; use cfg_mode = separate");
  if (!positive.defined()) return {};
  SVI_CHECK(positive.sizes() == negative.sizes(), "condition.", name, " is ", positive.sizes(),
            " and, in the negative pass, ", negative.sizes(), "; use cfg_mode = separate");
  return at::cat({positive, negative});
}

// One reduction: NaN passes through a minimum and a maximum, and Inf is one of them.
bool is_finite(const at::Tensor& x) {
  const auto [low, high] = at::aminmax(x);
  return std::isfinite(low.item<double>()) && std::isfinite(high.item<double>());
}

}  // namespace

std::vector<std::string> enum_names(CfgMode) { return {"separate", "batched"}; }

GuidedModel::GuidedModel(const VelocityModel& model, const Condition& positive,
                         const Condition* negative, const Guidance& guidance)
    : model_(model),
      positive_(positive),
      negative_(guidance.cfg == 1.0 ? nullptr : negative),
      cfg_(guidance.cfg),
      batched_(negative_ != nullptr && guidance.mode == CfgMode::batched) {
  if (!batched_) return;
  both_ = {.text = join_batch(positive.text, negative->text, "text"),
           .image = join_batch(positive.image, negative->image, "image"),
           .clip = join_batch(positive.clip, negative->clip, "clip")};
}

at::Tensor GuidedModel::velocity(const at::Tensor& latent, double timestep,
                                 std::int64_t step) const {
  const auto B = latent.size(0);
  const auto times = at::full({B}, timestep, latent.options().dtype(at::kFloat));  // [B]
  if (negative_ == nullptr) return run(latent, times, positive_, step, "positive");
  at::Tensor guided, unguided;  // [B, C, F, h, w]
  if (batched_) {
    const auto both = model_.velocity(at::cat({latent, latent}), at::cat({times, times}), both_)
                          .to(latent.scalar_type());
    guided = both.narrow(0, 0, B);
    unguided = both.narrow(0, B, B);
    require_finite(guided, latent, times, positive_, step, "positive");
    require_finite(unguided, latent, times, *negative_, step, "negative");
  } else {
    guided = run(latent, times, positive_, step, "positive");
    unguided = run(latent, times, *negative_, step, "negative");
  }
  return unguided + (guided - unguided) * cfg_;
}

at::Tensor GuidedModel::run(const at::Tensor& latent, const at::Tensor& timestep,
                            const Condition& condition, std::int64_t step, const char* pass) const {
  auto velocity = model_.velocity(latent, timestep, condition).to(latent.scalar_type());
  require_finite(velocity, latent, timestep, condition, step, pass);
  return velocity;
}

void GuidedModel::require_finite(const at::Tensor& velocity, const at::Tensor& latent,
                                 const at::Tensor& timestep, const Condition& condition,
                                 std::int64_t step, const char* pass) const {
  if (velocity.numel() == 0 || is_finite(velocity)) return;
  auto where = model_.first_non_finite(latent, timestep, condition);
  if (where.empty()) where = "the model does not say where";
  raise("the model's velocity holds NaN or Inf in the ", pass, " pass of step ", step,
        " (from 0; sigma = ", timestep[0].item<double>() / 1000, "): ", where);
}

}  // namespace svi
