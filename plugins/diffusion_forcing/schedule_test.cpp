#include "diffusion_forcing/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "diffusion_forcing/forcing_method.hpp"
#include "method/whole_films.hpp"

namespace forcing {
namespace {

using Row = std::vector<std::int64_t>;

Matrix matrix_named(const std::string& name) {
  const auto names = enum_names(Matrix());
  return static_cast<Matrix>(std::find(names.begin(), names.end(), name) - names.begin());
}

// tests/data/forcing/schedules.json: made by running buoyancy99/diffusion-forcing 475e0bc.
TEST(Schedule, MatricesAreThoseOfDiffusionForcing) {
  const auto all = svi::test::golden("forcing/schedules.json");
  for (const auto& each : all["matrices"]) {
    const auto kind = matrix_named(each["schedule"]);
    const std::int64_t N = each["frames"];
    const auto expected = each["matrix"].get<LevelMatrix>();
    const auto ours = level_matrix(kind, each["steps"], N, each["uncertainty"]);
    if (kind != Matrix::trapezoid) {
      EXPECT_EQ(ours, expected) << each["schedule"];
      continue;
    }
    // The published right half is off by one: its column N - j is ours of frame j.
    for (std::size_t m = 0; m < ours.size(); ++m) {
      const auto& row = expected[std::min(m, expected.size() - 1)];
      for (std::int64_t f = 0; f < (N + 1) / 2; ++f) {
        const auto left = static_cast<std::size_t>(f), right = static_cast<std::size_t>(N - 1 - f);
        EXPECT_EQ(ours[m][left], row[left]);
        EXPECT_EQ(ours[m][right], row[left]);  // symmetric
      }
    }
  }
}

// The same file: SkyworkAI/SkyReels-V2 abed76f. Its counter counts the steps begun.
TEST(Schedule, BlocksAreThoseOfSkyReels) {
  const auto all = svi::test::golden("forcing/schedules.json");
  for (const auto& each : all["skyreels"]) {
    const std::int64_t K = each["steps"], N = each["frames"], ready = each["ready"];
    const auto rows =
        skyreels_rows(K, N - ready, each["ar_step"], each["block"], ready, each["window"]);
    ASSERT_EQ(rows.size(), each["index"].size());
    for (std::size_t m = 0; m < rows.size(); ++m) {
      for (std::int64_t f = ready; f < N; ++f) {
        const auto i = static_cast<std::size_t>(f - ready);
        const std::int64_t count = each["index"][m][f];
        EXPECT_EQ(rows[m].from[i], count == 0 ? K : K + 1 - count);
        EXPECT_EQ(rows[m].from[i] - rows[m].to[i], each["update"][m][f].get<std::int64_t>());
      }
      EXPECT_EQ(rows[m].first, each["valid"][m][0].get<std::int64_t>());
      EXPECT_EQ(rows[m].end, each["valid"][m][1].get<std::int64_t>());
    }
  }
}

TEST(Schedule, TakesAsManyPassesAsTheClosedForms) {
  const auto passes = [](Matrix kind, double u) {
    return rows_of(level_matrix(kind, 10, 5, u), 1, 6).size();
  };
  EXPECT_EQ(passes(Matrix::full_sequence, 3), 10u);
  EXPECT_EQ(passes(Matrix::autoregressive, 3), 50u);
  EXPECT_EQ(passes(Matrix::pyramid, 0), 10u);
  EXPECT_EQ(passes(Matrix::pyramid, 2), 10u + 4 * 2);
  EXPECT_EQ(passes(Matrix::pyramid, 10), 50u);  // the autoregressive one
  EXPECT_EQ(passes(Matrix::trapezoid, 2), 10u + 2 * 2);
  EXPECT_EQ(skyreels_rows(10, 12, 0, 3, 1, 13).size(), 10u);
  EXPECT_EQ(skyreels_rows(10, 12, 2, 3, 1, 13).size(), 10u + 3 * 2);
  EXPECT_EQ(hierarchical_rows(10, 12, 3, 1, 13).size(), 10u * 4);
  EXPECT_EQ(causal_rows(10, 12, 3, 1, 13).size(), 10u * 4);
}

TEST(Schedule, EveryFrameGoesFromNoiseToCleanOneStepAtATime) {
  for (const auto& rows : {rows_of(level_matrix(Matrix::pyramid, 7, 4, 1.5), 2, 6),
                           skyreels_rows(7, 4, 3, 2, 2, 6), hierarchical_rows(7, 4, 2, 2, 6),
                           rows_of(level_matrix(Matrix::trapezoid, 7, 4, 2), 2, 6)}) {
    Row level(4, 7);
    for (const auto& row : rows) {
      EXPECT_EQ(row.from, level);
      for (std::size_t f = 0; f < 4; ++f) EXPECT_LE(row.from[f] - row.to[f], 1);
      EXPECT_NE(row.from, row.to);
      level = row.to;
    }
    EXPECT_EQ(level, Row(4, 0));
  }
}

TEST(Schedule, ShowsEachBlockItsHistoryAtTheLevelThatItReaches) {
  const auto rows = hierarchical_rows(3, 4, 2, 1, 5);
  ASSERT_EQ(rows.size(), 6u);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto reached = 2 - static_cast<std::int64_t>(i / 2);
    const bool second = i % 2 == 1;
    EXPECT_EQ(rows[i].context, reached);
    EXPECT_EQ(rows[i].end, second ? 5 : 3);  // nothing behind it
    EXPECT_EQ(rows[i].from,
              second ? (Row{reached, reached, reached + 1, reached + 1}) : Row(4, reached + 1));
  }
}

TEST(Schedule, RefusesWhatNobodyWouldSee) {
  EXPECT_THROW(rows_of(level_matrix(Matrix::pyramid, 5, 6, 1), 1, 5), svi::ConfigError);
  EXPECT_THROW(skyreels_rows(10, 8, 1, 1, 1, 4), svi::ConfigError);
  EXPECT_THROW(skyreels_rows(10, 8, 1, 3, 1, 9), svi::ConfigError);
  EXPECT_THROW(hierarchical_rows(10, 8, 3, 1, 9), svi::ConfigError);
}

TEST(Chunks, AreEvenAndCoverAPiece) {
  EXPECT_EQ(chunks_of(4, 4), (Row{4}));
  EXPECT_EQ(chunks_of(4, 3), (Row{2, 2}));
  EXPECT_EQ(chunks_of(20, 17), (Row{10, 10}));
  EXPECT_EQ(chunks_of(5, 2), (Row{1, 2, 2}));
}

}  // namespace
}  // namespace forcing
