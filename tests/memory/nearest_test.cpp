#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "memory/nearest_detail.hpp"
#include "svi/tensor/random.hpp"

namespace svi::detail {
namespace {

at::Tensor gaussian(std::uint32_t stream, at::IntArrayRef sizes) {
  return normal({11, Purpose::test, stream, 0}, sizes);
}

/// Stack, subtract, norm, in fp64: the first of the smallest.
std::size_t naive(const std::vector<at::Tensor>& stored, const at::Tensor& query) {
  const auto distances =
      (at::stack(stored).to(at::kDouble) - query.to(at::kDouble)).flatten(1).square().sum(1);
  const auto* values = distances.const_data_ptr<double>();
  return static_cast<std::size_t>(std::min_element(values, values + distances.numel()) - values);
}

std::size_t ours(const std::vector<at::Tensor>& stored, const at::Tensor& query) {
  std::vector<Fingerprint> norms;
  for (const auto& tensor : stored) norms.push_back(fingerprint(tensor));
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < stored.size(); ++i) candidates.push_back({&stored[i], &norms[i]});
  const auto query_norms = fingerprint(query);
  return nearest(candidates, {&query, &query_norms});
}

void expect_equal(std::vector<at::Tensor> stored, at::Tensor query) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (auto& tensor : stored) tensor = tensor.to(dtype);
    query = query.to(dtype);
    EXPECT_EQ(ours(stored, query), naive(stored, query)) << dtype;
  }
}

TEST(Nearest, EqualsNaiveSearchOnGaussianData) {
  for (const std::int64_t width : {1, 3, 7, 40, 333}) {
    std::vector<at::Tensor> stored;
    for (std::uint32_t i = 0; i < 60; ++i) stored.push_back(gaussian(i, {2, 3, 5, width}));

    for (std::uint32_t q = 0; q < 10; ++q)
      expect_equal(stored, gaussian(1000 + q, {2, 3, 5, width}));
  }
}

TEST(Nearest, EqualsNaiveSearchWhenNormsDiffer) {
  std::vector<at::Tensor> stored;
  for (std::uint32_t i = 0; i < 60; ++i) {
    stored.push_back(gaussian(i, {4, 5, 6, 7}) *
                     std::exp(uniform({1, Purpose::test, i, 0}) * 8 - 4));
  }

  for (std::uint32_t q = 0; q < 20; ++q) {
    expect_equal(stored, gaussian(1000 + q, {4, 5, 6, 7}) * std::exp(0.3 * q - 3));
  }
}

TEST(Nearest, EqualsNaiveSearchWhenAllAreAlmostEqual) {
  const auto centre = gaussian(7, {4, 5, 6, 7});
  std::vector<at::Tensor> stored;
  for (std::uint32_t i = 0; i < 60; ++i)
    stored.push_back(centre + 1e-4 * gaussian(100 + i, {4, 5, 6, 7}));

  for (std::uint32_t q = 0; q < 20; ++q) {
    expect_equal(stored, centre + 1e-4 * gaussian(1000 + q, {4, 5, 6, 7}));
  }
}

TEST(Nearest, EqualsNaiveSearchWhenTheDifferenceIsInTheLastElements) {
  std::vector<at::Tensor> stored;
  for (std::int64_t i = 0; i < 60; ++i) {
    auto tensor = gaussian(7, {4, 5, 6, 7});
    tensor.flatten()[839 - (i * 37) % 11] += 0.1 * static_cast<double>(i % 7 + 1);
    stored.push_back(tensor);
  }

  expect_equal(stored, gaussian(7, {4, 5, 6, 7}));
}

TEST(Nearest, EqualsNaiveSearchAtExtremeMagnitudes) {
  for (const double scale : {1e-30, 1e-18, 1e15, 1e25}) {
    std::vector<at::Tensor> stored;
    for (std::uint32_t i = 0; i < 30; ++i) stored.push_back(gaussian(i, {2, 3, 5, 40}) * scale);

    expect_equal(stored, gaussian(1000, {2, 3, 5, 40}) * scale);
  }
}

/// Errors with the parts of a search for both ends.
struct Errors {
  std::vector<BankedError> errors;
  std::vector<Fingerprint> prints;
  std::vector<std::optional<Fingerprint>> both;

  static at::Tensor ends(const BankedError& error) {
    return at::cat({error.at(ErrorEnd::data), error.at(ErrorEnd::noise)});
  }

  void add(BankedError error, at::ScalarType dtype) {
    for (auto* tensor : {&error.residual, &error.data_offset, &error.noise_offset}) {
      if (tensor->defined()) *tensor = tensor->to(dtype).contiguous();
    }
    prints.push_back(fingerprint(error.residual));
    const bool plain = !error.data_offset.defined() && !error.noise_offset.defined();
    both.push_back(plain ? std::nullopt : std::optional(fingerprint(ends(error))));
    errors.push_back(std::move(error));
  }

  Candidate candidate(std::size_t i) const {
    return {&errors[i].residual, &prints[i], &errors[i], both[i] ? &*both[i] : nullptr};
  }
};

TEST(Nearest, EqualsNaiveSearchOverBothEndsOfErrorsWithOffsets) {
  const std::vector<std::vector<std::int64_t>> shapes = {
      {2, 3, 5, 7}, {1, 1, 3, 333}, {4, 5, 6, 40}, {16, 3, 80, 80}};
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const auto& sizes : shapes) {
      Errors stored;
      std::uint32_t stream = 0;
      const auto draw = [&] {
        const auto number = [&] { return uniform({3, Purpose::test, stream, 0}); };
        BankedError error;
        error.residual = gaussian(++stream, sizes);
        error.data_gain = -0.2 - 0.7 * number();
        error.noise_gain = 0.1 + 0.8 * number();
        const auto kind = stream % 4;  // of offsets: none, one for both, one end only, two
        if (kind > 0) error.data_offset = gaussian(1000 + stream, sizes) * (2 * number());
        if (kind == 1) error.noise_offset = error.data_offset;
        // Nearly cancels the residual.
        if (kind == 3) error.noise_offset = -error.noise_gain * error.residual + 0.1 * number();
        return error;
      };
      for (int i = 0; i < 40; ++i) stored.add(draw(), dtype);
      for (int q = 0; q < 12; ++q) {
        Errors query;
        query.add(draw(), dtype);
        std::vector<Candidate> candidates;
        std::vector<at::Tensor> ends;
        for (std::size_t i = 0; i < 40; ++i) {
          candidates.push_back(stored.candidate(i));
          ends.push_back(Errors::ends(stored.errors[i]));
        }

        EXPECT_EQ(nearest(candidates, query.candidate(0)),
                  naive(ends, Errors::ends(query.errors[0])))
            << dtype << " " << at::IntArrayRef(sizes) << " query " << q;
      }
    }
  }
}

TEST(Nearest, TakesTheFirstOfEqualEntries) {
  std::vector<at::Tensor> stored(20, at::zeros({2, 3, 4, 5}));
  stored[0] = at::ones({2, 3, 4, 5});

  EXPECT_EQ(ours(stored, at::zeros({2, 3, 4, 5})), 1u);
  EXPECT_EQ(ours(stored, at::full({2, 3, 4, 5}, 0.5)), 0u);
  expect_equal(std::vector<at::Tensor>(20, gaussian(1, {2, 3, 4, 5})), gaussian(2, {2, 3, 4, 5}));
}

TEST(Nearest, PassesOverOtherShapes) {
  const std::vector<at::Tensor> stored = {at::zeros({2, 1, 4, 5}), at::ones({2, 3, 4, 5}),
                                          at::zeros({2, 3, 4, 5})};

  EXPECT_EQ(ours(stored, at::zeros({2, 3, 4, 5})), 2u);
  EXPECT_EQ(ours(stored, at::zeros({2, 2, 4, 5})), 0u);
}

}  // namespace
}  // namespace svi::detail
