#include "svi/pretrained/compute_type.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace svi {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kGigabyte = 1000000000;

ComputeFacts large_on(std::string processor, bool bf16_products) {
  return {.large = true,
          .gpu = false,
          .bf16_products = bf16_products,
          .processor = std::move(processor),
          .fp32_bytes = 6 * kGigabyte,
          .memory_bytes = 16 * kGigabyte};
}

TEST(ChooseCompute, TakesBf16WhereTheProcessorMultipliesIt) {
  const auto choice = choose_compute(ComputeType::automatic, large_on("AVX-512", true));

  EXPECT_EQ(choice.dtype, at::kBFloat16);
  EXPECT_THAT(choice.reason, HasSubstr("AVX-512"));
}

TEST(ChooseCompute, TakesFp32WhereBf16IsNoFasterAndMemoryAllows) {
  const auto choice = choose_compute(ComputeType::automatic, large_on("AVX2", false));

  EXPECT_EQ(choice.dtype, at::kFloat);
  EXPECT_THAT(choice.reason, HasSubstr("AVX2"));
}

TEST(ChooseCompute, TakesBf16WhereFp32WouldFillTheMemory) {
  auto facts = large_on("AVX2", false);
  facts.fp32_bytes = 57 * kGigabyte;
  facts.memory_bytes = 64 * kGigabyte;

  const auto choice = choose_compute(ComputeType::automatic, facts);

  EXPECT_EQ(choice.dtype, at::kBFloat16);
  EXPECT_THAT(choice.reason, HasSubstr("57 GB"));
  EXPECT_THAT(choice.reason, HasSubstr("64 GB"));
}

TEST(ChooseCompute, TakesFp32ForSmallModelsAndBf16OnAGpu) {
  auto small = large_on("AVX-512", true), gpu = large_on("AVX2", false);
  small.large = false;
  gpu.gpu = true;

  EXPECT_EQ(choose_compute(ComputeType::automatic, small).dtype, at::kFloat);
  EXPECT_EQ(choose_compute(ComputeType::automatic, gpu).dtype, at::kBFloat16);
}

TEST(ChooseCompute, DoesAsItIsTold) {
  for (const bool bf16_products : {false, true}) {
    const auto facts = large_on("x", bf16_products);

    EXPECT_EQ(choose_compute(ComputeType::fp32, facts).dtype, at::kFloat);
    EXPECT_EQ(choose_compute(ComputeType::bf16, facts).dtype, at::kBFloat16);
  }
}

}  // namespace
}  // namespace svi
