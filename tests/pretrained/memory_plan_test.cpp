#include "svi/pretrained/memory_plan.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "svi/core/check.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::int64_t kGiB = std::int64_t{1} << 30;

std::int64_t numbers(const WanDitConfig& config) {
  const WanDit dit(config, at::TensorOptions(at::kMeta));
  std::int64_t sum = 0;
  for (const auto& [name, tensor] : dit.parameters()) sum += tensor.numel();
  return sum;
}

WanDitConfig dit_14b() {
  WanDitConfig config;
  config.in_dim = 36;
  config.dim = 5120;
  config.ffn_dim = 13824;
  config.heads = 40;
  config.layers = 40;
  config.image_dim = 1280;
  return config;
}

MemoryRequest small() {
  MemoryRequest request;
  request.stored.dit = 2 * numbers(request.dit);
  return request;
}

/// The official image-to-video model at 480 x 832 x 81.
MemoryRequest large() {
  MemoryRequest request;
  request.dit = dit_14b();
  request.text_encoder.emplace();
  request.image_encoder.emplace();
  request.stored = {2 * numbers(request.dit), 11361 * (kGiB / 1024), 4700 * (kGiB / 1024)};
  return request;
}

constexpr MemoryBudget kEnough{.host = 1000 * kGiB, .gpu = 1000 * kGiB};

const PhaseMemory& phase(const MemoryPlan& plan, const std::string& name) {
  const auto found = std::find_if(plan.phases.begin(), plan.phases.end(),
                                  [&](const PhaseMemory& p) { return p.name == name; });
  if (found == plan.phases.end()) raise("no phase ", name);
  return *found;
}

std::vector<std::string> settings(const MemoryPlan& plan) {
  std::vector<std::string> names;
  for (const auto& remedy : plan.remedies) names.push_back(remedy.settings);
  return names;
}

TEST(MemoryPlan, CountsEveryWeightOfTheTransformer) {
  auto request = small();
  const auto narrow = phase(plan_memory(request, kEnough), "sampling").host.weights;
  request.dtype = at::kFloat;
  const auto wide = phase(plan_memory(request, kEnough), "sampling").host.weights;

  EXPECT_EQ(wide - narrow, 2 * numbers(request.dit));
}

TEST(MemoryPlan, WeightsInPlaceAreMappedAndNotInThePeak) {
  auto request = small();
  const auto copied = phase(plan_memory(request, kEnough), "sampling").host;
  request.in_place = true;
  const auto mapped = phase(plan_memory(request, kEnough), "sampling").host;

  EXPECT_EQ(copied.peak() - mapped.peak(), request.stored.dit);
  EXPECT_EQ(mapped.mapped, request.stored.dit);
}

TEST(MemoryPlan, AFewWiderNormsLeaveTheMatricesInPlace) {
  auto request = small();
  request.in_place = true;
  const auto uniform = plan_memory(request, kEnough).host_peak();
  request.stored.dit += request.stored.dit / 200;

  EXPECT_EQ(plan_memory(request, kEnough).host_peak(), uniform);
}

TEST(MemoryPlan, WeightsOfAnotherDtypeCannotBeInPlace) {
  auto request = small();
  request.stored.dit *= 2;
  const auto copied = plan_memory(request, kEnough).host_peak();
  request.in_place = true;

  EXPECT_EQ(plan_memory(request, kEnough).host_peak(), copied);
}

TEST(MemoryPlan, BlocksThatDoNotStayCostTwoOfThem) {
  auto request = large();
  const auto all = phase(plan_memory(request, kEnough), "sampling").host;
  request.resident_blocks = 0;
  const auto none = phase(plan_memory(request, kEnough), "sampling").host;
  request.resident_blocks = 1;
  const auto one = phase(plan_memory(request, kEnough), "sampling").host;

  const auto block = one.weights - none.weights;
  EXPECT_EQ(all.weights - none.weights, 38 * block);
  EXPECT_NEAR(static_cast<double>(none.mapped), 40.0 * static_cast<double>(block),
              0.02 * 40 * static_cast<double>(block));
}

TEST(MemoryPlan, EightBitsHalveTheBlocks) {
  auto request = large();
  const auto full = phase(plan_memory(request, kEnough), "sampling").host.weights;
  request.eight_bit = true;
  const auto small = phase(plan_memory(request, kEnough), "sampling").host.weights;

  EXPECT_LT(small, full * 54 / 100);
  EXPECT_GT(small, full / 2);
}

TEST(MemoryPlan, TextsFromTheCacheNeedNoTextEncoder) {
  auto request = large();
  EXPECT_EQ(plan_memory(request, kEnough).phases.front().name, "text encoding");
  request.texts_cached = true;

  EXPECT_EQ(plan_memory(request, kEnough).phases.front().name, "image encoding");
}

TEST(MemoryPlan, TheTextEncoderStaysInItsFile) {
  const auto request = large();
  const auto text = phase(plan_memory(request, kEnough), "text encoding").host;

  EXPECT_EQ(text.mapped, request.stored.text_encoder);
  EXPECT_LT(text.peak(), 3 * kGiB);
}

TEST(MemoryPlan, OfAGpuPutsActivationsThere) {
  auto request = large();
  request.gpu = true;
  const auto plan = plan_memory(request, kEnough);

  EXPECT_GT(phase(plan, "sampling").gpu.weights, 30 * kGiB);
  EXPECT_GT(phase(plan, "sampling").gpu.activations, 5 * kGiB);
  EXPECT_EQ(phase(plan, "sampling").host.activations, 0);
  EXPECT_GT(phase(plan, "loading").host.peak(), 30 * kGiB);
  EXPECT_THAT(plan.table(), HasSubstr("GPU"));
}

TEST(MemoryPlan, OfTheOfficialModelFitsAGpuOf80GB) {
  auto request = large();
  request.gpu = true;
  request.in_place = true;

  const auto plan = plan_memory(request, {.host = 100 * kGiB, .gpu = 78 * kGiB});

  EXPECT_EQ(plan.verdict, MemoryVerdict::fits) << plan.table() << plan.advice();
}

TEST(MemoryPlan, GrowsWithSizeLengthAndBatch) {
  const auto peak = [](const MemoryRequest& request) {
    return phase(plan_memory(request, kEnough), "sampling").host.peak();
  };
  auto wider = small(), longer = small(), batched = small(), more = small();
  wider.width *= 2;
  longer.frames += 40;
  batched.batched_guidance = true;
  more.films = 2;

  for (const auto& request : {wider, longer, batched, more})
    EXPECT_GT(peak(request), peak(small()));
}

TEST(MemoryPlan, TilesMakeDecodingSmaller) {
  auto request = small();
  request.frames = 21;
  const auto whole = phase(plan_memory(request, kEnough), "decoding").host.peak();
  request.tile.emplace();

  EXPECT_LT(phase(plan_memory(request, kEnough), "decoding").host.peak(), whole);
}

TEST(MemoryPlan, SaysWhereMappedWeightsDoNotStay) {
  auto request = large();
  request.in_place = true;
  const auto peak = plan_memory(request, kEnough).host_peak();

  const auto plan = plan_memory(request, {.host = peak + kGiB});

  EXPECT_EQ(plan.verdict, MemoryVerdict::rereads);
  EXPECT_THAT(plan.advice(), HasSubstr("reads them from the disk again"));
}

TEST(MemoryPlan, EveryRemedyMakesItFit) {
  auto request = large();
  request.dtype = at::kFloat;
  request.batched_guidance = true;
  for (const std::int64_t free : {60, 40, 24, 16, 8, 4}) {
    const MemoryBudget budget{.host = free * kGiB};
    const auto plan = plan_memory(request, budget);

    ASSERT_EQ(plan.verdict, MemoryVerdict::too_large);
    for (const auto& remedy : plan.remedies) {
      EXPECT_NE(plan_memory(remedy.request, budget).verdict, MemoryVerdict::too_large)
          << remedy.settings << " with " << free << " GiB";
    }
  }
}

TEST(MemoryPlan, NamesTheMostBlocksThatCanStay) {
  const MemoryBudget budget{.host = 30 * kGiB};
  const auto plan = plan_memory(large(), budget);

  ASSERT_THAT(settings(plan), Not(IsEmpty()));
  const auto& remedy = plan.remedies.front();
  EXPECT_THAT(remedy.settings, HasSubstr("--resident-blocks"));
  auto one_more = remedy.request;
  ++one_more.resident_blocks;
  EXPECT_EQ(plan_memory(one_more, budget).verdict, MemoryVerdict::too_large);
  EXPECT_THAT(plan.advice(), HasSubstr(remedy.settings));
}

TEST(MemoryPlan, CombinesSettingsWhereNoneHelpsAlone) {
  auto request = large();
  request.dtype = at::kFloat;
  const auto plan = plan_memory(request, {.host = 8 * kGiB});

  ASSERT_EQ(plan.remedies.size(), 1);
  EXPECT_THAT(plan.remedies[0].settings, HasSubstr("--dtype bf16 --resident-blocks"));
  EXPECT_THAT(plan.advice(), HasSubstr("It fits with --"));
}

TEST(MemoryPlan, SaysWhereNothingHelps) {
  const auto plan = plan_memory(large(), {.host = kGiB / 4});

  EXPECT_THAT(plan.remedies, IsEmpty());
  EXPECT_THAT(plan.advice(), HasSubstr("No setting makes it fit"));
}

TEST(MemoryPlan, AdviceNamesPhaseNeedAndRoom) {
  const auto plan = plan_memory(large(), {.host = 24 * kGiB});

  EXPECT_THAT(plan.advice(), HasSubstr("needs"));
  EXPECT_THAT(plan.advice(), HasSubstr("24.0 GiB are free"));
}

TEST(MemoryPlan, RefusesImpossibleRequests) {
  auto request = small();
  request.resident_blocks = 31;
  EXPECT_THROW(plan_memory(request, kEnough), ConfigError);
  request = small();
  request.frames = 0;
  EXPECT_THROW(plan_memory(request, kEnough), ConfigError);
  request = small();
  request.dit.heads = 7;
  EXPECT_THROW(plan_memory(request, kEnough), ConfigError);
}

TEST(MemoryPlan, CountsExtensionsWhereTheTransformerComputes) {
  for (const bool gpu : {false, true}) {
    auto request = small();
    request.gpu = gpu;
    const auto before = plan_memory(request, kEnough);
    request.extensions = {{"voice", 1000 << 18}, {"pose", 1 << 18}};
    const auto plan = plan_memory(request, kEnough);
    const auto weights = [&](const MemoryPlan& of) {
      const auto& sampling = phase(of, "sampling");
      return (gpu ? sampling.gpu : sampling.host).weights;
    };
    EXPECT_EQ(weights(plan) - weights(before), std::int64_t{1001} << 20);
    EXPECT_THAT(plan.table(), HasSubstr("with [extension.voice], 262144000 parameters, "));
    EXPECT_THAT(plan.table(), HasSubstr("with [extension.pose], 262144 parameters, 1 MiB"));
  }
}

}  // namespace
}  // namespace svi
