#include <gtest/gtest.h>

#include "diffusion_forcing/history_model.hpp"
#include "method/whole_films.hpp"

namespace forcing {
namespace {

/// Options as the files name them, on a scheme as the plugin makes it.
HistoryScheme scheme_of(const nlohmann::json& each) {
  const auto& options = each["options"];
  const double k = options.value("stabilisation", 0.0), w = options.value("scale", 1.0);
  HistoryScheme scheme;
  const HistorySegment whole{.start_if_made = k};
  const std::string name = each["scheme"];
  scheme.drop_condition = name != "conditional";
  if (name == "conditional") scheme.segments = {whole};
  if (name == "vanilla") scheme.segments = {{.start_if_made = k, .weight = w}};
  if (name == "fractional") {
    const double f = options["fraction"];
    scheme.segments = {whole, {.start = f, .start_if_made = f, .weight = w - 1}};
  }
  if (name != "temporal") return scheme;
  for (std::size_t i = 0; i < options["subsequences"].size(); ++i)
    scheme.segments.push_back({.frames = frame_indices(options["subsequences"][i], "x"),
                               .weight = options["weights"][i]});
  if (options.contains("segments")) {
    for (const auto& part : options["segments"]) scheme.made.push_back(frame_indices(part, "x"));
  }
  return scheme;
}

// tests/data/forcing/history.json: made by running kwsong0113/diffusion-forcing-transformer
// 300ed42. Its levels are indices of 1000, -1 being clean.
TEST(HistoryPasses, AreThoseOfTheOriginal) {
  for (const auto& each : svi::test::golden("forcing/history.json")["cases"]) {
    std::vector<bool> made;
    for (const int state : each["mask"]) {
      if (state > 0) made.push_back(state == 2);
    }
    const auto scheme = scheme_of(each);
    const auto passes = passes_of(scheme, made);
    ASSERT_EQ(passes.size(), each["weights"].size()) << each["options"];
    double sum = 0;
    for (std::size_t i = 0; i < passes.size(); ++i) {
      EXPECT_NEAR(passes[i].weight, each["weights"][i].get<double>(), 1e-6);
      EXPECT_EQ(passes[i].drop, each["drop"][i].get<bool>());
      for (std::size_t f = 0; f < made.size(); ++f) {
        // The original truncates 1000 level - 1 in fp32.
        const auto index =
            static_cast<std::int64_t>(static_cast<float>(passes[i].levels[f]) * 1000.0F - 1);
        EXPECT_EQ(index, each["levels"][i][f].get<std::int64_t>());
      }
      sum += passes[i].weight;
    }
    EXPECT_NEAR(sum, 1, 1e-6);
    EXPECT_EQ(passes.size() * std::max<std::size_t>(1, scheme.made.size()),
              each["nfe"].get<std::size_t>());
  }
}

/// Gives back, call by call, the velocities of a file.
class Scripted final : public svi::VelocityModel {
 public:
  explicit Scripted(std::vector<std::vector<float>> rows) : rows_(std::move(rows)) {}
  mutable std::size_t calls = 0;

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                      const svi::Condition&) const override {
    return at::tensor(rows_.at(order(calls++))).view({1, 1, -1, 1, 1}).expand_as(noisy).clone();
  }
  std::size_t parts = 1;

 private:
  /// The original goes through parts within passes, we through passes within parts.
  std::size_t order(std::size_t call) const {
    const auto passes = rows_.size() / parts;
    return call % passes * parts + call / passes;
  }
  std::vector<std::vector<float>> rows_;
};

TEST(HistoryModel, ComposesVelocitiesAsTheOriginal) {
  for (const auto& each : svi::test::golden("forcing/history.json")["cases"]) {
    std::vector<bool> made;
    for (const int state : each["mask"]) {
      if (state > 0) made.push_back(state == 2);
    }
    const auto scheme = scheme_of(each);
    Scripted model(each["velocities"].get<std::vector<std::vector<float>>>());
    model.parts = std::max<std::size_t>(1, scheme.made.size());
    const auto F = static_cast<std::int64_t>(each["mask"].size()),
               h = static_cast<std::int64_t>(made.size());
    const HistoryModel guided(model, scheme,
                              {at::zeros({1, 1, h, 1, 1}), made, at::zeros({1, 1, F, 1, 1}), 0});
    const auto v = guided.velocity(at::zeros({1, 1, F, 1, 1}), at::full({1, F}, 500.0), {});
    EXPECT_EQ(static_cast<std::int64_t>(model.calls), guided.passes());
    for (auto f = h; f < F; ++f)
      EXPECT_NEAR(v.view({-1})[f].item<double>(), each["composed"][f].get<double>(), 1e-6);
  }
}

/// v = mean of the history as it is shown, and of the condition image.
class Seeing final : public svi::VelocityModel {
 public:
  mutable int calls = 0;
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                      const svi::Condition& told) const override {
    ++calls;
    return at::zeros_like(noisy) + noisy.narrow(2, 0, 2).mean() + 10 * told["image"].mean();
  }
};

TEST(HistoryModel, KeepsTheIdentitiesOfItsSchemes) {
  const auto history = at::full({1, 1, 2, 1, 1}, 2.0), noise = at::full({1, 1, 4, 1, 1}, -6.0);
  const svi::Condition told{{svi::part::kImage, at::ones({1, 2, 4, 1, 1})}};
  const auto of = [&](const HistoryScheme& scheme, int passes) {
    const Seeing model;
    const HistoryModel guided(model, scheme, {history, {true, true}, noise, 0});
    const auto v = guided.velocity(at::zeros({1, 1, 4, 1, 1}), at::full({1, 4}, 900.0), told);
    EXPECT_EQ(model.calls, passes);
    return v.max().item<double>();
  };
  const double with = 2 + 10, without = -6;  // a pass without history sees no image
  EXPECT_NEAR(of({{HistorySegment{}}, {}, false}, 1), with, 1e-5);
  EXPECT_NEAR(of({{HistorySegment{.weight = 1}}}, 1), with, 1e-5);
  EXPECT_NEAR(of({{HistorySegment{.weight = 3}}}, 2), 3 * with - 2 * without, 1e-5);
  EXPECT_NEAR(of({{HistorySegment{.weight = 0}}}, 1), without, 1e-5);
  // h@f = (1 - f) h + f noise, and the condition image would show what it hides.
  const double coarse = 0.5 * 2 - 0.5 * 6;
  EXPECT_NEAR(of({{HistorySegment{}, {.start = 0.5, .start_if_made = 0.5, .weight = 2}}}, 3),
              with + 2 * (coarse - without), 1e-5);
  // The last frame alone: the first is noise, and so hidden.
  EXPECT_NEAR(of({{HistorySegment{.weight = 0.5}, {.frames = {-1}, .weight = 0.25}}}, 3),
              without + 0.5 * (with - without) + 0.25 * ((2.0 - 6.0) / 2 - without), 1e-5);
}

TEST(HistoryModel, NamesFramesThatAreNotThere) {
  EXPECT_THROW(passes_of({{{.frames = {3}}}}, {true, true}), svi::ConfigError);
  EXPECT_THROW(frame_indices("1+x", "parts"), svi::ConfigError);
  EXPECT_THROW(frame_indices("", "parts"), svi::ConfigError);
  EXPECT_EQ(frame_indices("0+-2", "parts"), (std::vector<std::int64_t>{0, -2}));
  EXPECT_TRUE(frame_indices("all", "parts").empty());
}

}  // namespace
}  // namespace forcing
