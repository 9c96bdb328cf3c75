#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "method/tiny_models.hpp"
#include "svi/core/check.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/method/assembler.hpp"
#include "svi/method/rollout.hpp"
#include "svi/model/extension.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

at::Tensor gaussian(std::uint32_t stream, at::IntArrayRef sizes) {
  return normal({7, Purpose::test, stream, 0}, sizes);
}

/// Leads to the mean of the history, so that a film depends on it; remembers what it was told.
class Remembering final : public VelocityModel {
 public:
  mutable std::vector<std::vector<double>> indices;  // of each call
  mutable std::vector<std::vector<double>> rates;    // the same
  mutable std::vector<std::int64_t> frames;          // noisy latent frames of each call

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    const auto row = condition["history_index"][0].to(at::kDouble).contiguous();
    indices.emplace_back(row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel());
    const auto rate = condition["history_rate"][0].to(at::kDouble).contiguous();
    rates.emplace_back(rate.const_data_ptr<double>(), rate.const_data_ptr<double>() + rate.numel());
    frames.push_back(noisy.size(2));
    EXPECT_EQ(condition[part::kImage].narrow(1, 0, 4).abs().max().item<float>(), 0);  // none known
    const auto mean = condition["history"].mean({2}, /*keepdim=*/true);
    return (noisy - 0.9 * mean) / (timestep / 1000).view({-1, 1, 1, 1, 1});
  }
};

struct FramePack : testing::Test {
  FramePack() { load_plugin(PLUGIN_FILE, registry); }

  std::unique_ptr<Method> method(const std::string& options = "") const {
    return registry.make<Method>(
        Document::parse("[method]\ntype = framepack\n" + options, "test.ini"), "");
  }
  std::shared_ptr<ModelExtension> extension(const WanDit& dit) const {
    auto made = make_extensions(
        registry, Document::parse("[extension.pack]\ntype = framepack\n", "test.ini"));
    made[0].second->build("pack", dit.extension_host(), 0);
    return made[0].second;
  }
  Studio studio(const Method& made, const VelocityModel& model, std::int64_t clips) const {
    const auto no_text = [](const std::vector<std::string>& prompts) {
      return at::zeros({static_cast<std::int64_t>(prompts.size()), 2, 4});
    };
    return {model, vae, no_text, made, sampler, unguided, {.clips = clips}, {9, 16, 16}};
  }

  Registry registry;
  WanVae vae = test::tiny_vae();
  EulerSampler sampler{{.steps = 1, .shift = 1}};
  NoGuidance unguided;
  std::vector<Scene> scenes = {{0, "scene", gaussian(0, {3, 16, 16}).clamp(-1, 1), {"one"}}};
};

using Rows = std::vector<std::vector<double>>;

TEST_F(FramePack, MakesTheLastSectionFirstBetweenTheImageAndWhatComesAfter) {
  const Remembering model;
  const auto made = method();
  std::vector<RolledClip> film;
  roll_out(studio(*made, model, 3), scenes, [&](const RolledClip& clip) { film.push_back(clip); });

  // Two latent frames a section; indices count from the section's first frame.
  EXPECT_EQ(model.indices, (Rows{{-5}, {-3, 2, 3}, {-1, 2, 3, 4, 5}}));
  EXPECT_EQ(model.frames, (std::vector<std::int64_t>{2, 2, 2}));
  ASSERT_EQ(film.size(), 3u);
  EXPECT_EQ(film[0].frames.size(2), 9);
  EXPECT_EQ(film[1].first_frame, 9);
  EXPECT_EQ(film[2].first_frame, 17);
  EXPECT_EQ(film[2].frames.size(2), 8);
  EXPECT_EQ(made->frames({9, 16, 16}, 3), 25);
  // The film begins with the image itself.
  const auto image = vae.encode(scenes[0].image.unsqueeze(0).unsqueeze(2));
  EXPECT_TRUE(at::equal(film[0].latent.narrow(2, 0, 1), image));
}

TEST_F(FramePack, ForwardOrderHasItsHistoryBehindIt) {
  const Remembering model;
  const auto made = method("order = forward\n");
  std::vector<std::int64_t> places;
  roll_out(studio(*made, model, 3), scenes,
           [&](const RolledClip& clip) { places.push_back(clip.clip); });
  EXPECT_EQ(model.indices, (Rows{{-1}, {-3, -1, -2}, {-5, -1, -2, -3, -4}}));
  EXPECT_EQ(places, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_FALSE(made->needs().whole_length);
}

TEST_F(FramePack, HistoryIsBoundedWhateverTheFilmsLength) {
  const Remembering model;
  const auto made = method("order = forward\n");
  roll_out(studio(*made, model, 14), scenes, [](const RolledClip&) {});
  EXPECT_EQ(model.indices.back().size(), 1u + 19u);
  EXPECT_EQ(model.indices.back().front(), -20);  // the image is told to be as near as the history
  const Remembering exact;
  roll_out(studio(*method("order = forward\ngap = exact\n"), exact, 14), scenes,
           [](const RolledClip&) {});
  EXPECT_EQ(exact.indices.back().front(), -1 - 13 * 2);
}

TEST_F(FramePack, TheHistoryIsWhatTheOptionsSay) {
  const Remembering model;
  const auto made = method("order = forward\nrates = 1, 3\nhistory = 2, 5\n");
  roll_out(studio(*made, model, 6), scenes, [](const RolledClip&) {});
  EXPECT_EQ(model.indices.back().size(), 1u + 7u);
  EXPECT_EQ(model.rates.back(), (std::vector<double>{1, 1, 1, 3, 3, 3, 3, 3}));
  EXPECT_THROW(method("rates = 1, 2\n"), ConfigError);     // as many as history
  EXPECT_THROW(method("rates = 4, 2, 1\n"), ConfigError);  // the nearest first
  EXPECT_THROW(method("rates = 2, 4, 8\n"), ConfigError);
}

TEST_F(FramePack, GoesOnFromItsPiecesWithTheSameBits) {
  for (const auto* order : {"", "order = forward\n"}) {
    const Remembering model;
    const auto made = method(order);
    const auto s = studio(*made, model, 4);
    const SceneScript script(s, scenes);
    const FilmRequest request{scenes[0].image.unsqueeze(0), {}, 4, script};
    std::vector<at::Tensor> whole;
    const auto film = made->begin(s, request);
    while (film->upcoming()) {
      whole.push_back(film->make());
      film->accept(whole.back(), {});
    }
    const auto again = made->begin(s, request);
    for (std::size_t i = 0; again->upcoming(); ++i) {
      if (i >= 2) {
        EXPECT_TRUE(at::equal(again->make(), whole[i]));
      }
      again->accept(whole[i], {});
    }
  }
}

TEST_F(FramePack, AConstantLatentGivesTheSameTokenAtEveryRate) {
  const c10::NoGradGuard no_grad;
  WanDit dit({.in_dim = 2 + 6,
              .out_dim = 2,
              .dim = 32,
              .ffn_dim = 64,
              .freq_dim = 16,
              .text_dim = 4,
              .text_len = 4,
              .heads = 2,
              .layers = 1});
  dit.initialise(3);
  const auto pack = extension(dit);
  const auto value = gaussian(1, {1, 2, 1, 1, 1});
  Condition told;
  told.set("history", value.expand({1, 2, 20, 6, 10}).contiguous());
  told.set("history_index", at::arange(20, at::kFloat).neg().unsqueeze(0));
  told.set("history_rate",
           at::cat({at::full({2}, 1.0), at::full({2}, 2.0), at::full({16}, 4.0)}).unsqueeze(0));
  const auto time = at::full({1}, 500.0);
  const std::function<at::Tensor(const at::Tensor&)> embed = [&](const at::Tensor& latent) {
    return dit.embed_patches(latent);
  };
  const auto inputs = pack->begin({told, time, 1, {2, 3, 5}, embed});

  ASSERT_EQ(inputs.groups.size(), 3u);
  // 6 x 10 latent pixels are 3 x 5 patches, 2 x 3 blocks of two, 1 x 2 blocks of four.
  EXPECT_EQ(inputs.groups[0].tokens.size(1), 2 * 3 * 5);
  EXPECT_EQ(inputs.groups[1].tokens.size(1), 1 * 2 * 3);
  EXPECT_EQ(inputs.groups[2].tokens.size(1), 4 * 1 * 2);
  const auto token = inputs.groups[0].tokens[0][0];
  for (const auto& group : inputs.groups)
    EXPECT_LT((group.tokens - token).abs().max().item<double>(), 1e-5);
  // Frames 2 and 3 back share tokens, and rows 0 and 1; the last row and column stand for the pads.
  const auto places = [&](std::size_t group, std::int64_t axis, std::int64_t place) {
    const auto row = inputs.groups[group].positions[axis][place].to(at::kDouble).contiguous();
    return std::vector<double>(row.const_data_ptr<double>(),
                               row.const_data_ptr<double>() + row.numel());
  };
  EXPECT_EQ(places(0, 0, 15), (std::vector<double>{-1}));
  EXPECT_EQ(places(1, 0, 0), (std::vector<double>{-2, -3}));
  EXPECT_EQ(places(1, 1, 0), (std::vector<double>{0, 1}));
  EXPECT_EQ(places(1, 1, 5), (std::vector<double>{2, 2}));
  EXPECT_EQ(places(2, 0, 0), (std::vector<double>{-4, -5, -6, -7}));
  EXPECT_EQ(places(2, 2, 1), (std::vector<double>{4, 4, 4, 4}));
}

TEST_F(FramePack, TheTransformerSeesTheHistoryAndWithoutOneIsItself) {
  const c10::NoGradGuard no_grad;
  WanDit dit({.in_dim = 2 + 6,
              .out_dim = 2,
              .dim = 32,
              .ffn_dim = 64,
              .freq_dim = 16,
              .text_dim = 4,
              .text_len = 4,
              .heads = 2,
              .layers = 2});
  at::manual_seed(3);
  for (auto& [name, weight] : dit.parameters()) weight.normal_(0, 0.2);  // the head, too
  const auto noisy = gaussian(2, {1, 2, 2, 4, 4}), y = gaussian(3, {1, 6, 2, 4, 4});
  const auto time = at::full({1}, 500.0);
  const Condition plain{{part::kText, gaussian(4, {1, 4, 4})}, {part::kImage, y}};
  auto told = plain;
  told.set("history", gaussian(5, {1, 2, 3, 4, 4}));
  told.set("history_index", at::tensor({-5.0F, -1.0F, -2.0F}).unsqueeze(0));
  told.set("history_rate", at::tensor({1.0F, 1.0F, 2.0F}).unsqueeze(0));
  EXPECT_THROW(dit.velocity(noisy, time, told), Error);  // nobody reads that part
  const auto before = dit.velocity(noisy, time, plain);

  dit.attach(extension(dit));

  EXPECT_TRUE(at::equal(dit.velocity(noisy, time, plain), before));
  const auto v = dit.velocity(noisy, time, told);
  EXPECT_GT((v - before).abs().max().item<double>(), 1e-4);
  auto moved = told;
  moved.set("history_index", at::tensor({-9.0F, -1.0F, -2.0F}).unsqueeze(0));
  EXPECT_GT((dit.velocity(noisy, time, moved) - v).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(dit.track_parts().empty());  // the film brings it, not the data
}

}  // namespace
}  // namespace svi
