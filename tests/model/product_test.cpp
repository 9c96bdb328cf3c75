// Products of operands stored in 8 to 32 bits, against fp64.
#include "model/wan/kernels/product.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "model/fixtures.hpp"

namespace svi::wan {
namespace {

using testing::relative_error;

struct Storage {
  std::string name;
  at::ScalarType dtype;
  Stored stored;
};

const std::vector<Storage> kStorages = {{"Fp32", at::kFloat, Stored::fp32},
                                        {"Bf16", at::kBFloat16, Stored::bf16},
                                        {"Fp16", at::kHalf, Stored::fp16},
                                        {"Fp8E4M3", at::kFloat8_e4m3fn, Stored::fp8_e4m3},
                                        {"Fp8E5M2", at::kFloat8_e5m2, Stored::fp8_e5m2},
                                        {"Int8", at::kChar, Stored::int8}};

struct Size {
  std::int64_t M, N, K;
};

// Around blocks of 6 and 14 rows, 8 to 32 columns, 256 numbers; several tasks; nothing but edges.
const std::vector<Size> kSizes = {{1, 1, 1},     {1, 16, 8},     {5, 7, 9},      {6, 32, 256},
                                  {7, 33, 257},  {15, 31, 255},  {84, 130, 40},  {85, 129, 513},
                                  {97, 520, 70}, {1100, 65, 24}, {40, 1030, 300}};

Lines lines_of(const at::Tensor& t, Stored stored) {
  return {.data = t.const_data_ptr(),
          .stored = stored,
          .lines = t.size(0),
          .length = t.size(1),
          .line = t.stride(0),
          .number = t.stride(1)};
}

at::Tensor random_weight(const Size& size, const Storage& storage) {
  if (storage.dtype == at::kChar) return at::randint(-127, 128, {size.N, size.K}, at::kChar);
  return at::randn({size.N, size.K}).to(storage.dtype);
}

at::Tensor wide(const at::Tensor& t) { return t.to(at::kFloat).to(at::kDouble); }

class StoredProduct : public ::testing::TestWithParam<std::tuple<Size, Storage>> {
 protected:
  void SetUp() override { at::manual_seed(3); }
  Size size() const { return std::get<0>(GetParam()); }
  Storage storage() const { return std::get<1>(GetParam()); }
};

TEST_P(StoredProduct, EqualsThatOfWidenedOperandsInDoublePrecision) {
  const auto [M, N, K] = size();
  const auto w = random_weight(size(), storage());
  const auto x = at::randn({M, K}), bias = at::randn({N});
  auto y = at::full({M, N}, NAN);

  product(lines_of(x, Stored::fp32), lines_of(w, storage().stored),
          {.data = y.data_ptr(),
           .stored = Stored::fp32,
           .stride = N,
           .bias = bias.const_data_ptr<float>()});

  EXPECT_LE(relative_error(y, at::linear(wide(x), wide(w), wide(bias))), 2e-6);
}

TEST_P(StoredProduct, TakesOperandsThatLieTurned) {
  const auto [M, N, K] = size();
  const auto w = random_weight(size(), storage()).t().contiguous().t();
  const auto x = at::randn({K, M}).to(at::kBFloat16).t();
  auto y = at::full({M, N}, NAN);

  product(lines_of(x, Stored::bf16), lines_of(w, storage().stored),
          {.data = y.data_ptr(), .stored = Stored::fp32, .stride = N});

  EXPECT_LE(relative_error(y, at::linear(wide(x), wide(w))), 2e-6);
}

TEST_P(StoredProduct, AddsAndAppliesGeluBeforeItRoundsToBf16) {
  const auto [M, N, K] = size();
  const auto w = random_weight(size(), storage());
  const auto x = at::randn({M, K}).to(at::kBFloat16);
  const auto before = at::randn({M, N}).to(at::kBFloat16);
  auto y = at::full({M, N + 3}, 7.F, at::kBFloat16);  // three columns that are not the product's
  y.narrow(1, 0, N).copy_(before);

  product(
      lines_of(x, Stored::bf16), lines_of(w, storage().stored),
      {.data = y.data_ptr(), .stored = Stored::bf16, .stride = N + 3, .add = true, .gelu = true});

  const auto expected = at::gelu(wide(before) + at::linear(wide(x), wide(w)), "tanh");
  const auto error = (y.narrow(1, 0, N) - expected).abs().max().item<double>();
  EXPECT_LE(error, 4e-3 * std::max(1.0, expected.abs().max().item<double>()));
  EXPECT_TRUE(y.narrow(1, N, 3).eq(7).all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Sizes, StoredProduct,
                         ::testing::Combine(::testing::ValuesIn(kSizes),
                                            ::testing::ValuesIn(kStorages)),
                         [](const auto& test) {
                           const auto& size = std::get<0>(test.param);
                           return std::get<1>(test.param).name + "_" + std::to_string(size.M) +
                                  "x" + std::to_string(size.N) + "x" + std::to_string(size.K);
                         });

TEST(StoredProductScales, HoldForTheirPartOfALine) {
  at::manual_seed(4);
  for (const std::int64_t groups : {1, 3, 11, 33}) {
    const std::int64_t M = 9, N = 37, K = 330;
    const auto w = at::randint(-127, 128, {N, K}, at::kChar);
    const auto x = at::randn({M, K}), scale = at::rand({N, groups});
    auto y = at::full({M, N}, NAN);
    auto lines = lines_of(w, Stored::int8);
    lines.scale = scale.const_data_ptr<float>();
    lines.groups = groups;

    product(lines_of(x, Stored::fp32), lines,
            {.data = y.data_ptr(), .stored = Stored::fp32, .stride = N});

    const auto scaled = wide(w).unflatten(1, {groups, -1}) * wide(scale).unsqueeze(-1);
    EXPECT_LE(relative_error(y, at::linear(wide(x), scaled.flatten(1))), 2e-6) << groups;
  }
}

TEST(StoredProductWidening, IsExactForEachNumberOf8And16Bits) {
  for (const auto& storage : kStorages) {
    if (storage.dtype == at::kFloat) continue;
    const bool byte = storage.dtype != at::kBFloat16 && storage.dtype != at::kHalf;
    const std::int64_t count = byte ? 256 : 65536;
    auto codes = at::arange(count, at::kInt).to(byte ? at::kByte : at::kShort).view(storage.dtype);
    const auto w = codes.unsqueeze(1).contiguous();
    const auto one = at::ones({1, 1});
    auto y = at::full({1, count}, 5.F);

    product(lines_of(one, Stored::fp32), lines_of(w, storage.stored),
            {.data = y.data_ptr(), .stored = Stored::fp32, .stride = count});

    const auto expected = w.to(at::kFloat).t();
    EXPECT_TRUE(at::allclose(y, expected, 0, 0, /*equal_nan=*/true)) << storage.name;
  }
}

TEST(StoredProductThreads, GiveTheSameNumbers) {
  at::manual_seed(5);
  const std::int64_t M = 130, N = 700, K = 600;
  const auto x = at::randn({M, K}), w = at::randn({N, K}).to(at::kBFloat16);
  const auto threads = at::get_num_threads();
  std::vector<at::Tensor> results;

  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    results.push_back(at::empty({M, N}));
    product(lines_of(x, Stored::fp32), lines_of(w, Stored::bf16),
            {.data = results.back().data_ptr(), .stored = Stored::fp32, .stride = N});
  }
  at::set_num_threads(threads);

  EXPECT_TRUE(at::equal(results[0], results[1]));
  EXPECT_TRUE(at::equal(results[0], results[2]));
}

}  // namespace
}  // namespace svi::wan
