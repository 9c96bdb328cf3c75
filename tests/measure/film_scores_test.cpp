#include "svi/measure/film_scores.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "support/temporary_folder.hpp"
#include "svi/measure/score_cache.hpp"

namespace svi {
namespace {

std::vector<Quantity> two_quantities() {
  return {{.name = "a", .unit = "1", .meaning = "of clips", .per_frame = true, .per_film = true},
          {.name = "b",
           .unit = "1",
           .meaning = "of films",
           .per_clip = false,
           .film_features = 2,
           .film_rows = 3}};
}

/// Of one film of 2 clips and 5 frames.
FilmScores some_scores() {
  auto scores = unmeasured_scores(two_quantities(), 1, 2, 5);
  scores.clip[0].fill_(1.5);
  scores.frame[0].copy_(at::arange(5, at::kDouble));
  scores.film[0].fill_(7);
  scores.film_features[1].narrow(1, 0, 2).fill_(3);
  return scores;
}

TEST(FilmScores, OfOneFilmFindTheirPlaceAmongLongerOnes) {
  auto all = unmeasured_scores(two_quantities(), 3, 4, 9);
  ASSERT_TRUE(put_numbers(all, 1, two_quantities(), numbers_of(some_scores(), 0)));

  EXPECT_TRUE(all.clip[0][1].narrow(0, 0, 2).eq(1.5).all().item<bool>());
  EXPECT_TRUE(all.clip[0][1].narrow(0, 2, 2).isnan().all().item<bool>());
  EXPECT_TRUE(at::equal(all.frame[0][1].narrow(0, 0, 5), at::arange(5, at::kDouble)));
  EXPECT_EQ(all.film[0][1].item<double>(), 7);
  EXPECT_EQ(all.film_features[1][1].nansum().item<double>(), 12);
  EXPECT_TRUE(all.clip[0][0].isnan().all().item<bool>());
  EXPECT_TRUE(all.film[0][2].isnan().item<bool>());
}

TEST(FilmScores, AreRefusedWhereTheyAreOfOtherQuantitiesOrDoNotFit) {
  const auto numbers = numbers_of(some_scores(), 0);
  const auto refused = [&](std::vector<Quantity> quantities, std::int64_t clips) {
    auto all = unmeasured_scores(quantities, 1, clips, 9);
    const bool taken = put_numbers(all, 0, quantities, numbers);
    return !taken && all.clip[0].isnan().all().item<bool>();
  };
  EXPECT_FALSE(refused(two_quantities(), 2));
  EXPECT_TRUE(refused(two_quantities(), 1));  // too short
  auto other = two_quantities();
  other[0].per_frame = false;
  EXPECT_TRUE(refused(other, 2));
  other = two_quantities();
  other[1].film_features = 4;
  EXPECT_TRUE(refused(other, 2));
  other = two_quantities();
  other.pop_back();
  EXPECT_TRUE(refused(other, 2));
}

TEST(ScoreCache, GivesBackWhatItKept) {
  const TemporaryFolder folder;
  const ScoreCache cache(folder.path());
  EXPECT_FALSE(cache.find("film x, metric a"));
  cache.keep("film x, metric a", numbers_of(some_scores(), 0));

  const auto found = ScoreCache(folder.path()).find("film x, metric a");
  ASSERT_TRUE(found);
  auto all = unmeasured_scores(two_quantities(), 1, 2, 5);
  EXPECT_TRUE(put_numbers(all, 0, two_quantities(), *found));
  EXPECT_TRUE(at::equal(all.frame[0], some_scores().frame[0]));
  EXPECT_FALSE(cache.find("film y, metric a"));
}

TEST(ScoreCache, TakesADamagedFileForNone) {
  const TemporaryFolder folder;
  const ScoreCache cache(folder.path());
  cache.keep("k", numbers_of(some_scores(), 0));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file()) std::filesystem::resize_file(entry.path(), 20);
  }
  EXPECT_FALSE(cache.find("k"));
  cache.keep("k", numbers_of(some_scores(), 0));
  EXPECT_TRUE(cache.find("k"));
}

TEST(ScoreCache, WithoutAFolderKeepsNothing) {
  const ScoreCache cache("");
  cache.keep("k", numbers_of(some_scores(), 0));
  EXPECT_FALSE(cache.find("k"));
}

}  // namespace
}  // namespace svi
