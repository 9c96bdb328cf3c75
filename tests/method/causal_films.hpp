#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "method/whole_films.hpp"
#include "svi/model/causal.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi::test {

/// Tokens of a latent frame of MethodTest's films: 16 x 16 pixels, stride 4, patches of 2 x 2.
inline constexpr std::int64_t kCausalTokens = 4;

/// A transformer of random weights for MethodTest's films: two channels, four of the mask.
inline std::unique_ptr<WanDit> tiny_causal_dit() {
  auto dit = std::make_unique<WanDit>(WanDitConfig{.in_dim = 2 + 4 + 2,
                                                   .out_dim = 2,
                                                   .dim = 24,
                                                   .ffn_dim = 48,
                                                   .freq_dim = 16,
                                                   .text_dim = 4,
                                                   .text_len = 2,
                                                   .heads = 2,
                                                   .layers = 2});
  dit->initialise(5);
  at::manual_seed(5);
  for (auto& [name, weight] : dit->parameters())
    if (name.starts_with("head.head")) weight.normal_(0, 0.1);
  return dit;
}

/// Keeps the frames themselves in place of their keys, so that a test reads what a block is shown;
/// leads to a clean frame of 0.25 as Knowing does.
class Ledger final : public VelocityModel, public CausalModel {
 public:
  mutable std::vector<at::Tensor> past;  // [B, C, m, h, w] of each pass that keeps nothing

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    return knowing_.velocity(noisy, timestep, condition);
  }
  at::Tensor velocity_behind(const FrameKeys& before, const at::Tensor& noisy,
                             const at::Tensor& timestep, const Condition& condition,
                             FrameKeys* kept) const override {
    const auto B = noisy.size(0), C = noisy.size(1), h = noisy.size(3), w = noisy.size(4);
    if (kept != nullptr) {
      const auto rows = noisy.permute({0, 2, 3, 4, 1}).reshape({B, -1, C});
      *kept = {{rows}, {rows}, noisy.size(2)};
    } else {
      past.push_back(before.keys[0].view({B, before.frames, h, w, C}).permute({0, 4, 1, 2, 3}));
    }
    return knowing_.velocity(noisy, timestep, condition);
  }

 private:
  Knowing knowing_;
};

}  // namespace svi::test
