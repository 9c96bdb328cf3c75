#include "svi/train/vae_trainer.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <numbers>

#include "svi/core/check.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

constexpr double kInitialLogVariance = -6;

at::Tensor difference(const at::Tensor& x, std::int64_t dim) {
  return x.narrow(dim, 1, x.size(dim) - 1) - x.narrow(dim, 0, x.size(dim) - 1);
}

/// L1 of pixels plus L1 of their spatial gradients: edges count, whatever their position in the
/// range.
at::Tensor picture_loss(const at::Tensor& made, const at::Tensor& wanted, double gradient_weight) {
  auto loss = (made - wanted).abs().mean();
  if (gradient_weight > 0) {
    for (const std::int64_t dim : {3, 4}) {
      loss =
          loss + gradient_weight * (difference(made, dim) - difference(wanted, dim)).abs().mean();
    }
  }
  return loss;
}

/// Leaves of a causal kernel [out, in, kt, kh, kw] only what sees the present frame, at the
/// strength all taps had together; 1 x 1 x 1 kernels and biases stay as they are.
void see_the_present_alone(const at::Tensor& weight) {
  if (weight.dim() != 5 || weight.size(2) == 1) return;
  const c10::NoGradGuard no_gradients;
  const auto taps = weight.size(2);
  weight.narrow(2, 0, taps - 1).zero_();
  weight.narrow(2, taps - 1, 1).mul_(std::sqrt(static_cast<double>(taps)));
}

}  // namespace

VaePretrainer::VaePretrainer(WanVae& vae, VaePretrainerConfig config, Clips clips)
    : vae_(vae), config_(config), clips_(std::move(clips)) {
  vae_.initialise(static_cast<std::uint64_t>(config_.seed));
  vae_.require_grad(true);
  if (config_.bf16_activations) vae_.set_activations(at::kBFloat16);
  for (const auto& [name, weight] : vae_.parameters()) {
    if (config_.still_start) see_the_present_alone(weight);
    if (name == "conv1.bias") {
      // Start almost deterministic: at unit spread the decoder sees noise alone and learns to
      // ignore it.
      c10::NoGradGuard no_gradients;
      weight.narrow(0, vae_.config().z_dim, vae_.config().z_dim).fill_(kInitialLogVariance);
    }
    weights_.push_back(weight);
    means_.push_back(at::zeros_like(weight.detach()));
    squares_.push_back(at::zeros_like(weight.detach()));
    counts_.push_back(at::zeros({}, weight.options().dtype(at::kFloat).requires_grad(false)));
  }
}

double VaePretrainer::learning_rate() const {
  const double warm =
      config_.warmup > 0
          ? std::min(1.0, static_cast<double>(step_ + 1) / static_cast<double>(config_.warmup))
          : 1.0;
  const double done =
      static_cast<double>(step_) / static_cast<double>(std::max<std::int64_t>(config_.steps, 1));
  return config_.learning_rate * warm *
         (0.02 + 0.98 * 0.5 * (1 + std::cos(std::numbers::pi * done)));
}

at::Tensor VaePretrainer::clips_at(std::int64_t step) const {
  const auto video = clips_(step);
  const auto share = static_cast<double>(step) / static_cast<double>(config_.steps);
  // A share of 1 means short clips to the end, and for the statistics that follow it.
  if (share >= config_.short_share && config_.short_share < 1) return video;
  return video.narrow(2, 0, std::min(config_.short_frames, video.size(2)));
}

VaeLosses VaePretrainer::advance() {
  const auto video = clips_at(step_);  // [B, 3, T, H, W]
  const auto share = static_cast<double>(step_) / static_cast<double>(config_.steps);
  const auto [mean, logvar] = vae_.encode_moments(video);
  const RandomKey key{static_cast<std::uint64_t>(config_.seed), Purpose::sample_noise, 0,
                      static_cast<std::uint32_t>(step_)};
  const auto spread = normal(key, mean.sizes()).to(mean.options());
  const auto bounded = logvar.clamp(-30, 20);
  const auto raw = mean + (0.5 * bounded).exp() * spread;  // [B, z, F, h, w], before normalisation
  const auto made = vae_.decode(vae_.normalise(raw));

  const auto kl = 0.5 * (mean.square() + bounded.exp() - 1 - bounded).mean();
  auto loss = picture_loss(made, video, config_.gradient_weight) + config_.kl_weight * kl;
  VaeLosses losses;
  losses.step = step_;
  if (config_.idempotence_weight > 0 && share >= config_.idempotence_start &&
      step_ % config_.idempotence_every == 0) {
    // The second trip starts from what a viewer would see: clamped pixels.
    const auto again = vae_.encode_moments(made.clamp(-1, 1)).first;
    const auto second = vae_.decode(vae_.normalise(again));
    const auto term =
        (again - raw.detach()).square().mean() + (second - made.detach()).abs().mean();
    loss = loss + config_.idempotence_weight * term;
    losses.idempotence = term.item<double>();
  }
  if (!std::isfinite(loss.item<double>()))
    raise("codec training: the loss is not finite at step ", step_);
  losses.reconstruction = (made.detach() - video).abs().mean().item<double>();
  losses.kl = kl.item<double>();

  loss.backward();
  std::vector<at::Tensor> gradients;
  c10::NoGradGuard no_gradients;
  for (const auto& weight : weights_) {
    gradients.push_back(weight.grad().defined() ? weight.grad() : at::zeros_like(weight));
  }
  const auto norms = at::_foreach_norm(gradients);
  const double norm = at::stack(norms).norm().item<double>();
  if (norm > config_.clip_norm) at::_foreach_mul_(gradients, config_.clip_norm / norm);
  at::_foreach_add_(counts_, 1);
  at::_fused_adamw_(weights_, gradients, means_, squares_, {}, counts_, learning_rate(), 0.9, 0.999,
                    config_.weight_decay, 1e-8, /*amsgrad=*/false, /*maximize=*/false);
  for (auto& weight : weights_) weight.mutable_grad().reset();
  ++step_;
  return losses;
}

void VaePretrainer::finish() {
  c10::NoGradGuard no_gradients;
  vae_.set_activations(vae_.dtype());
  std::vector<at::Tensor> latents;
  for (std::int64_t i = 0; i < config_.statistics_batches; ++i) {
    latents.push_back(vae_.encode_moments(clips_at(config_.steps + i)).first);
  }
  const auto all = at::cat(latents).transpose(0, 1).flatten(1).to(at::kDouble);  // [z, values]
  vae_.set_latent_statistics(all.mean(1).to(at::kFloat), all.std(1).to(at::kFloat));
  vae_.require_grad(false);
}

NamedTensors VaePretrainer::state() const {
  NamedTensors state{{"step", at::scalar_tensor(step_, at::kLong)}};
  const auto parameters = vae_.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto& name = parameters[i].first;
    state.emplace_back("weight/" + name, parameters[i].second.detach());
    state.emplace_back("mean/" + name, means_[i]);
    state.emplace_back("square/" + name, squares_[i]);
  }
  return state;
}

void VaePretrainer::load(const NamedTensors& state) {
  c10::NoGradGuard no_gradients;
  if (state.size() != 1 + 3 * weights_.size())
    raise<IoError>("codec checkpoint: ", state.size(), " tensors do not fit this model");
  step_ = state[0].second.item<std::int64_t>();
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    weights_[i].copy_(state[1 + 3 * i].second);
    means_[i].copy_(state[2 + 3 * i].second);
    squares_[i].copy_(state[3 + 3 * i].second);
    counts_[i].fill_(static_cast<double>(step_));
  }
}

}  // namespace svi
