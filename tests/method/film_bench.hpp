#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
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

/// Leads from any level to what the condition shows in its first frame, mixed with the noise it
/// sees, so that a film depends on all that it is told and on every draw.
class Following final : public VelocityModel {
 public:
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    const auto& y = condition[part::kImage];
    const auto known = y.narrow(1, y.size(1) - noisy.size(1), noisy.size(1)).narrow(2, 0, 1);
    const auto F = timestep.dim() == 2 ? noisy.size(2) : 1;
    const auto sigma = (timestep / 1000).view({noisy.size(0), 1, F, 1, 1});
    const auto others = noisy.mean({2}, /*keepdim=*/true);
    return (0.9 * noisy - 0.8 * known + 0.1 * others) / sigma.clamp_min(0.05);
  }
};

/// A studio of tiny models for the methods of a plugin, and what films of any method must stand.
struct FilmBench {
  /// Loads the plugin; methods are made of `[method] type = type`.
  FilmBench(const char* plugin, std::string made) : type(std::move(made)) {
    load_plugin(plugin, registry);
    for (std::int64_t index : {0, 1}) {
      const auto draw = static_cast<std::uint32_t>(index);
      scenes.push_back({index,
                        "scene" + std::to_string(index),
                        normal({6, Purpose::test, draw, 0}, {3, 16, 16}).clamp(-1, 1),
                        {"one", "two"}});
    }
  }

  std::unique_ptr<Method> method(const std::string& options = "") const {
    return registry.make<Method>(
        Document::parse("[method]\ntype = " + type + "\n" + options, "test.ini"), "");
  }
  Studio studio(const Method& made, const VelocityModel& model, std::int64_t clips) const {
    return {model, vae, encode, made, sampler, unguided, {.clips = clips}, {9, 16, 16}};
  }
  std::vector<RolledClip> roll(const std::string& options, const VelocityModel& model,
                               std::int64_t clips, const std::vector<Scene>& of) const {
    const auto made = method(options);
    std::vector<RolledClip> film;
    roll_out(studio(*made, model, clips), of,
             [&](const RolledClip& clip) { film.push_back(clip); });
    return film;
  }
  std::vector<RolledClip> roll(const std::string& options, const VelocityModel& model,
                               std::int64_t clips) const {
    return roll(options, model, clips, {scenes[0]});
  }

  /// What method->check() says of that shape and sampler; "accepted" where it says nothing.
  std::string refusal(const std::string& options, const ClipShape& shape,
                      const Sampler& with) const {
    try {
      method(options)->check(shape, 4, with);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  }

  /// A film that was stopped behind any piece goes on with the same bits.
  void expect_goes_on(const std::string& options, std::int64_t clips) const {
    const Following model;
    const auto made = method(options);
    const auto s = studio(*made, model, clips);
    const SceneScript script(s, scenes);
    const FilmRequest request{at::stack({scenes[0].image, scenes[1].image}), {}, clips, script};
    struct Kept {
      at::Tensor latent, tail;
      NamedTensors state;  // before the piece
    };
    std::vector<Kept> kept;
    const auto film = made->begin(s, request);
    while (const auto piece = film->upcoming()) {
      Kept now;
      for (const auto& [name, tensor] : film->state()) now.state.emplace_back(name, tensor.clone());
      now.latent = film->make();
      if (piece->tail > 0) {
        const auto frames = vae.decode(now.latent).clamp(-1, 1);
        now.tail = frames.narrow(2, frames.size(2) - piece->tail, piece->tail);
      }
      film->accept(now.latent, now.tail);
      kept.push_back(now);
    }
    for (std::size_t stop = 1; stop < kept.size(); ++stop) {
      const auto again = made->begin(s, request);
      for (std::size_t i = 0; i < kept.size(); ++i) {
        if (i == stop && !kept[i].state.empty())
          again->load(kept[i].state, static_cast<std::int64_t>(i));
        if (i >= stop) {
          EXPECT_TRUE(at::equal(again->make(), kept[i].latent)) << options << stop << ", " << i;
        }
        // The tail of a piece is there where the next one is made.
        again->accept(kept[i].latent, i + 1 >= stop ? kept[i].tail : at::Tensor());
      }
    }
  }

  /// A film is the same whatever batch it is made in, which is what ranks deal with, up to the
  /// rounding of batched kernels: clip by clip from the same beginning. The codec of random weights
  /// magnifies rounding (decoding once differs by some 7e-5 of the frames' deviation in fp32),
  /// which says nothing of a method; in fp64 the codec, too, does not depend on the batch.
  void expect_same_in_any_batch(const std::string& options, std::int64_t clips) const {
    constexpr double kRounding = 1e-5, kExact = 1e-10;  // of the standard deviation
    WanVae exact = tiny_vae();
    exact.to(at::kCPU, at::kDouble);
    const auto apart = [](const at::Tensor& a, const at::Tensor& b) {
      return ((a - b).abs().max() / b.std()).item<double>();
    };
    const Following model;
    const auto made = method(options);
    const auto s = studio(*made, model, clips);
    const std::vector<Scene> second = {scenes[1]};
    const SceneScript of_both(s, scenes), of_one(s, second);
    const auto images = at::stack({scenes[0].image, scenes[1].image});
    const auto both = made->begin(s, {images, {}, clips, of_both});
    const auto alone = made->begin(s, {images.narrow(0, 1, 1), {}, clips, of_one});
    while (const auto piece = both->upcoming()) {
      const auto latent = both->make(), row = latent.narrow(0, 1, 1);
      EXPECT_LT(apart(row, alone->make()), kRounding) << options << piece->number;
      const auto frames = vae.decode(latent).clamp(-1, 1);
      const auto decoded = exact.decode(latent.to(at::kDouble));
      EXPECT_LT(apart(decoded.narrow(0, 1, 1), exact.decode(row.to(at::kDouble))), kExact);
      const auto tail = frames.narrow(2, frames.size(2) - piece->tail, piece->tail);
      both->accept(latent, tail);
      alone->accept(row, tail.narrow(0, 1, 1));
    }
    EXPECT_FALSE(alone->upcoming());
  }

  Registry registry;
  std::string type;
  WanVae vae = tiny_vae();
  EulerSampler sampler{{.steps = 4, .shift = 3}};
  NoGuidance unguided;
  std::vector<Scene> scenes;
  /// The text of "one" is zeros, that of others ones.
  EncodeText encode = [](const std::vector<std::string>& prompts) {
    auto text = at::zeros({static_cast<std::int64_t>(prompts.size()), 2, 4});
    for (std::size_t i = 0; i < prompts.size(); ++i)
      text[static_cast<std::int64_t>(i)].fill_(prompts[i] == "one" ? 0 : 1);
    return text;
  };
};

/// A file of golden numbers beside a plugin.
inline nlohmann::json golden_of(const std::string& plugin) {
  std::ifstream in(std::string(SVI_SOURCE_DIR) + "/plugins/" + plugin + "/golden.json");
  EXPECT_TRUE(in.good()) << plugin;
  return nlohmann::json::parse(in);
}
inline at::Tensor numbers(const nlohmann::json& values) {  // double
  return at::tensor(values.get<std::vector<double>>(), at::kDouble);
}

}  // namespace svi::test
