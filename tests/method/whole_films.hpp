#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "method/tiny_models.hpp"
#include "svi/core/check.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/method/rollout.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/tensor/random.hpp"

namespace svi::test {

/// Knows what is clean, 0.25 everywhere, and leads there from any level; remembers what it saw.
class Knowing final : public VelocityModel {
 public:
  mutable std::vector<at::Tensor> levels;  // [F] of each pass, in flow time
  mutable std::vector<at::Tensor> seen;    // [B, C, F, h, w] of each pass
  mutable std::vector<at::Tensor> known;   // [B, C, 1, h, w]: the condition image of each pass

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    const auto B = noisy.size(0), F = noisy.size(2), C = noisy.size(1);
    const auto sigma =
        timestep.dim() == 2 ? timestep / 1000 : (timestep / 1000).unsqueeze(1).expand({B, F});
    levels.push_back(sigma[0].clone());
    seen.push_back(noisy.clone());
    const auto& y = condition[part::kImage];
    known.push_back(y.narrow(1, y.size(1) - C, C).narrow(2, 0, 1).clone());
    return (noisy - 0.25) / sigma.view({B, 1, F, 1, 1}).clamp_min(1e-6);
  }
};

/// Leads to a mixture of what the condition and all frames show, so that a film depends on all that
/// is kept.
class Mixing final : public VelocityModel {
 public:
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    const auto& y = condition[part::kImage];
    const auto known = y.narrow(1, y.size(1) - noisy.size(1), noisy.size(1)).narrow(2, 0, 1);
    const auto F = timestep.dim() == 2 ? noisy.size(2) : 1;
    const auto sigma = (timestep / 1000).view({noisy.size(0), 1, F, 1, 1});
    const auto all = noisy.mean(at::IntArrayRef{2}, true);
    return (noisy - 0.7 * known - 0.2 * all) / sigma.clamp_min(0.05);
  }
};

/// Films of the method of a plugin, small enough for a unit test: clips of 9 frames, 3 latents.
class MethodTest : public ::testing::Test {
 protected:
  MethodTest(const std::string& plugin, std::string type, std::int64_t steps = 8,
             std::int64_t frames = 9)
      : sampler({.steps = steps, .shift = 3}), shape{frames, 16, 16}, type_(std::move(type)) {
    load_plugin(plugin, registry);
    scenes = {
        {0, "scene", normal({6, Purpose::test, 0, 0}, {3, 16, 16}).clamp(-1, 1), {"one", "two"}}};
  }

  std::unique_ptr<Method> method(const std::string& options = "") const {
    return registry.make<Method>(
        Document::parse("[method]\ntype = " + type_ + "\n" + options, "test.ini"), "");
  }
  Studio studio(const Method& made, const VelocityModel& model, std::int64_t clips) const {
    const auto no_text = [](const std::vector<std::string>& prompts) {
      return at::zeros({static_cast<std::int64_t>(prompts.size()), 2, 4});
    };
    return {model, vae, no_text, made, sampler, unguided, {.clips = clips}, shape};
  }
  std::vector<RolledClip> roll(const std::string& options, const VelocityModel& model,
                               std::int64_t clips) const {
    const auto made = method(options);
    std::vector<RolledClip> rolled;
    roll_out(studio(*made, model, clips), scenes,
             [&](const RolledClip& clip) { rolled.push_back(clip); });
    return rolled;
  }
  /// What a user reads where the method cannot make films so.
  std::string refusal(const std::string& options) const {
    try {
      method(options)->check(shape, 4, sampler);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  }

  /// A film that is stopped behind any of its pieces, and goes on from these and its state, has the
  /// same bits.
  void expect_goes_on(const std::string& options, const VelocityModel& model, std::int64_t clips) {
    const auto made = method(options);
    const auto s = studio(*made, model, clips);
    const SceneScript script(s, scenes);
    const FilmRequest request{scenes[0].image.unsqueeze(0), {}, clips, script};
    std::vector<at::Tensor> whole;
    std::vector<NamedTensors> states;
    const auto film = made->begin(s, request);
    while (film->upcoming()) {
      auto& state = states.emplace_back();
      for (const auto& [name, tensor] : film->state()) state.emplace_back(name, tensor.clone());
      whole.push_back(film->make().clone());
      film->accept(whole.back(), {});
    }
    for (std::size_t stop = 1; stop < whole.size(); ++stop) {
      const auto again = made->begin(s, request);
      for (std::size_t i = 0; i < stop; ++i) again->accept(whole[i], {});
      if (!states[stop].empty()) again->load(states[stop], static_cast<std::int64_t>(stop));
      for (auto i = stop; again->upcoming(); ++i) {
        const auto latent = again->make();
        EXPECT_TRUE(at::equal(latent, whole[i])) << options << " piece " << i;
        again->accept(latent, {});
      }
    }
  }

  Registry registry;
  WanVae vae = tiny_vae();
  EulerSampler sampler;
  NoGuidance unguided;
  ClipShape shape;
  std::vector<Scene> scenes;

 private:
  std::string type_;
};

/// A file of golden numbers below tests/data.
inline nlohmann::json golden(const std::string& path) {
  std::ifstream file(std::string(SVI_SOURCE_DIR) + "/tests/data/" + path);
  return nlohmann::json::parse(file);
}

}  // namespace svi::test
