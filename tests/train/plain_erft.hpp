#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "fakes.hpp"

namespace svi::test {

inline constexpr std::int64_t kBatch = 3, kSteps = 40;

/// Every switch of a recycled step.
struct Switches {
  BernoulliInjection::Config injection = {};
  OneStepError::Config source = {};
  Recycler::Config recycling = {};
  std::int64_t bins = 3, capacity = 4;
};

/// One micro-batch with its own storage.
struct Batch {
  at::Tensor latent, noise, image, sigma;
  CleanBatch view() const { return {latent, noise, image, sigma}; }
};

inline Batch make_batch(std::int64_t step) {
  const auto draw = [&](std::int64_t stream, at::IntArrayRef sizes) {
    return normal(test_key(stream, step), sizes);
  };
  const auto sigma = at::empty({kBatch}, at::kFloat);
  for (std::int64_t b = 0; b < kBatch; ++b) sigma[b].fill_(uniform(test_key(50 + b, step)));
  return {draw(1, {kBatch, kC, kF, kH, kW}), draw(2, {kBatch, kC, kF, kH, kW}),
          draw(3, {kBatch, 4 + kC, kF, kH, kW}), sigma};
}

/// What some imperfect model predicts.
inline at::Tensor predict(const at::Tensor& noisy, const at::Tensor& target, std::int64_t step) {
  return target + 0.1 * noisy + 0.3 * normal(test_key(4, step), target.sizes());
}

/// The training step as the reference writes it down: two banks of ready-made errors, four
/// integrations, one sample at a time.
class PlainErft {
 public:
  explicit PlainErft(const Switches& switches)
      : on_(switches),
        bins_(switches.bins, 5),
        noise_bank_(static_cast<std::size_t>(switches.bins)),
        latent_bank_(static_cast<std::size_t>(switches.bins)) {}

  struct Sample {
    at::Tensor noisy = {}, target = {}, image = {}, latent_error = {}, noise_error = {};
    bool clean = false;
  };

  Sample inject(std::int64_t step, std::int64_t b, const Batch& batch) const {
    const auto key = [&](Purpose purpose) {
      return RandomKey{kSeed, purpose, static_cast<std::uint32_t>(b),
                       static_cast<std::uint32_t>(step)};
    };
    const auto& p = on_.injection;
    const auto x = batch.latent[b], n = batch.noise[b];
    const double sigma = batch.sigma[b].item<float>();
    const auto g = static_cast<std::size_t>(bins_.bin(sigma));
    bool add_n = uniform(key(Purpose::inject_noise)) < p.noise_probability;
    bool add_y = uniform(key(Purpose::inject_image)) < p.image_probability;
    bool add_x = uniform(key(Purpose::inject_latent)) < p.latent_probability;
    Sample s{.image = batch.image[b].clone(),
             .latent_error = at::zeros_like(x),
             .noise_error = at::zeros_like(x)};
    if (uniform(key(Purpose::inject_clean)) < p.clean_probability) {
      add_n = add_y = add_x = false;
      s.clean = true;
    }
    if (add_n && !noise_bank_[g].empty()) {
      s.noise_error = pick({noise_bank_[g]}, key(Purpose::recall_noise)) *
                      scale(p.noise_scale, key(Purpose::modulate_noise));
    }
    if (add_x && !latent_bank_[g].empty()) {
      s.latent_error = pick({latent_bank_[g]}, key(Purpose::recall_latent)) *
                       scale(p.latent_scale, key(Purpose::modulate_latent));
    }
    std::vector<std::vector<at::Tensor>> scope;
    for (std::size_t i = 0; i < latent_bank_.size(); ++i) {
      const auto noisiest = static_cast<std::size_t>(bins_.bin(p.image_sigma_high));
      const auto cleanest = static_cast<std::size_t>(bins_.bin(p.image_sigma_low));
      const bool in = p.image_scope == RecallScope::all_bins ||
                      (p.image_scope == RecallScope::same_bin && i == g) ||
                      (p.image_scope == RecallScope::sigma_range && i >= noisiest && i <= cleanest);
      if (in) scope.push_back(latent_bank_[i]);
    }
    const bool has_y =
        std::any_of(scope.begin(), scope.end(), [](const auto& bin) { return !bin.empty(); });
    if (add_y && has_y) {
      const auto error = pick(scope, key(Purpose::recall_image)) *
                         scale(p.image_scale, key(Purpose::modulate_image));
      const auto a = std::min<std::int64_t>(p.image_frames, kF);
      auto j = kF - a;
      if (p.image_place == ImagePlace::uniform) {
        j = static_cast<std::int64_t>(uniform(key(Purpose::image_place)) *
                                      static_cast<double>(kF - a + 1));
      }
      for (std::int64_t c = 0; c < kC; ++c) {
        for (std::int64_t f = 0; f < a; ++f) s.image[4 + c][f] += error[c][j + f];
      }
    }
    s.noisy = (1 - sigma) * (x + s.latent_error) + sigma * (n + s.noise_error);
    s.target = n + s.noise_error - x;
    return s;
  }

  void learn(std::int64_t step, const Batch& batch, const std::vector<Sample>& samples,
             const at::Tensor& predicted) {
    for (std::int64_t b = 0; b < kBatch; ++b) {
      const auto& s = samples[static_cast<std::size_t>(b)];
      const double sigma = batch.sigma[b].item<float>();
      const bool reference = on_.source.definition == ErrorDefinition::reference;
      const auto n_hat = s.noisy + (1 - sigma) * predicted[b];
      const auto n_ref = reference ? s.noisy + (1 - sigma) * s.target : batch.noise[b];
      const auto x_hat = s.noisy - sigma * predicted[b];
      const auto x_ref = reference ? s.noisy - sigma * s.target : batch.latent[b];
      const auto stream = static_cast<std::uint32_t>(b), now = static_cast<std::uint32_t>(step);
      if (s.clean && uniform({kSeed, Purpose::bank_keep_clean, stream, now}) >=
                         on_.recycling.clean_bank_probability)
        continue;
      const auto g = static_cast<std::size_t>(bins_.bin(sigma));
      if (static_cast<std::int64_t>(latent_bank_[g].size()) < on_.capacity) {
        noise_bank_[g].emplace_back();
        latent_bank_[g].emplace_back();
        noise_bank_[g].back() = (n_hat - n_ref) * on_.source.scale;
        latent_bank_[g].back() = (x_hat - x_ref) * on_.source.scale;
      } else {
        const auto victim =
            uniform_index({kSeed, Purpose::bank_evict, stream, now}, latent_bank_[g].size());
        noise_bank_[g][victim] = (n_hat - n_ref) * on_.source.scale;
        latent_bank_[g][victim] = (x_hat - x_ref) * on_.source.scale;
      }
    }
  }

 private:
  static at::Tensor pick(const std::vector<std::vector<at::Tensor>>& bins, const RandomKey& key) {
    std::vector<at::Tensor> all;
    for (const auto& bin : bins) all.insert(all.end(), bin.begin(), bin.end());
    return all[uniform_index(key, all.size())];
  }

  double scale(const ScaleRange& range, const RandomKey& key) const {
    const double modulation =
        1 - on_.injection.modulation + 2 * on_.injection.modulation * uniform(key, 0);
    const double u = uniform(key, 1);
    if (range.kind == ScaleKind::constant) return modulation * range.low;
    if (range.kind == ScaleKind::uniform)
      return modulation * (range.low + u * (range.high - range.low));
    return modulation * std::pow(range.low, 1 - u) * std::pow(range.high, u);
  }

  Switches on_;
  TimeBins bins_;
  std::vector<std::vector<at::Tensor>> noise_bank_, latent_bank_;
};

}  // namespace svi::test
