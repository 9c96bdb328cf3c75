#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/result_fixture.hpp"
#include "support/io_error.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/result_file.hpp"

namespace svi {
namespace {

using namespace result_fixture;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(PartWriter, LeavesNothingBehindWithoutCommit) {
  const TemporaryFolder folder;
  {
    PartWriter part(folder.path(), "job");
    part.add({"/x", {0}, {2}, {"arm"}}, at::ones({2}));
  }
  EXPECT_FALSE(part_exists(folder.path(), "job"));
  EXPECT_TRUE(read_part_names(folder.path()).empty());
}

TEST(PartWriter, RefusesBlocksThatDoNotFit) {
  const TemporaryFolder folder;
  PartWriter part(folder.path(), "job");

  EXPECT_THROW(part.add({"/x", {1}, {2}, {"arm"}}, at::ones({2})), Error);
  EXPECT_THROW(part.add({"/x", {0, 0}, {2}, {"arm"}}, at::ones({2})), Error);
  EXPECT_THROW(PartWriter(folder.path(), "../job"), Error);
}

TEST(Parts, TellWhichJobsAreDone) {
  const TemporaryFolder folder;

  write_part(folder.path(), 1, 0);
  write_part(folder.path(), 0, 2);

  EXPECT_THAT(read_part_names(folder.path()), ElementsAre("base-2", "erft-0"));
  EXPECT_TRUE(part_exists(folder.path(), "erft-0"));
  EXPECT_EQ(std::get<std::string>(part_attributes(folder.path(), "erft-0").at("settings")),
            "hash-erft-0");
}

TEST(MergeParts, PutsEachBlockInItsPlace) {
  const TemporaryFolder folder;
  write_all_parts(folder.path());

  merge_parts(folder.path(), folder.path() / "study.h5", Communicator::self());

  const auto file = Hdf5File::open(folder / "study.h5");
  const auto psnr = file.read("/metrics/clip/psnr");
  for (std::int64_t arm = 0; arm < 2; ++arm) {
    for (std::int64_t seed = 0; seed < kSeeds; ++seed) {
      for (std::int64_t scene = 0; scene < kScenes; ++scene) {
        for (std::int64_t clip = 0; clip < kClips; ++clip) {
          const auto value = psnr[arm][seed][scene][clip].item<double>();
          if (arm == 1 && seed == kSeeds - 1) {
            EXPECT_TRUE(std::isnan(value));
          } else {
            EXPECT_EQ(value, value_of(arm, seed, scene, clip));
          }
        }
      }
    }
  }
  EXPECT_EQ(file.read("/showcase/video")[1][0].flatten()[1].item<int>(), 2);
  const auto attributes = file.attributes("/metrics/clip/psnr");
  EXPECT_EQ(std::get<std::string>(attributes.at("unit")), "dB");
  EXPECT_EQ(attributes.count("part_start"), 0U);
}

TEST(MergeParts, CarriesTheHeader) {
  const TemporaryFolder folder;
  write_all_parts(folder.path());

  merge_parts(folder.path(), folder.path() / "study.h5", Communicator::self());

  const auto file = Hdf5File::open(folder / "study.h5");
  EXPECT_EQ(std::get<std::string>(file.attribute("/", "name")), "study");
  EXPECT_EQ(std::get<std::string>(file.attribute("/provenance", "commit")), "abc");
  EXPECT_EQ(file.text("/original_ini"), "[experiment]\nname = study\n");
  EXPECT_THAT(file.strings("/arm"), ElementsAre("base", "erft"));
  EXPECT_TRUE(file.read("/seed").equal(at::arange(3)));
  EXPECT_EQ(file.read("/time")[1].item<double>(), 0.5);
  EXPECT_EQ(std::get<std::string>(file.attribute("/time", "unit")), "s");
}

/// A part whose block has two dimensions of its own, one of them called as one of the run's.
void write_gains(const std::filesystem::path& folder, std::int64_t arm,
                 const std::vector<std::string>& directions) {
  PartWriter part(folder, cat("gains-", arm));
  const auto count = static_cast<std::int64_t>(directions.size());
  part.add({.path = "/diagnostic/gains/rms",
            .start = {arm, 0, 0},
            .shape = {2, count, 3},
            .dimensions = {"arm", "direction", "clip"},
            .attributes = {{"unit", std::string("1")}},
            .scales = {{"direction", directions, {}},
                       {"clip", std::vector<std::int64_t>{0, 4, 9}, {}},
                       {"unused", std::vector<double>{0.5}, {{"unit", std::string("s")}}}}},
           at::full({1, count, 3}, static_cast<double>(arm), at::kDouble));
  part.commit();
}

TEST(MergeParts, PutsScalesOfADatasetsOwnBesideItBeforeTheRuns) {
  const TemporaryFolder folder;
  write_all_parts(folder.path());
  for (const std::int64_t arm : {0, 1}) write_gains(folder.path(), arm, {"tint", "blur"});

  merge_parts(folder.path(), folder.path() / "study.h5", Communicator::self());

  const auto file = Hdf5File::open(folder / "study.h5");
  EXPECT_EQ(file.read("/diagnostic/gains/rms")[1][1][2].item<double>(), 1);
  EXPECT_THAT(file.strings("/diagnostic/gains/direction"), ElementsAre("tint", "blur"));
  EXPECT_TRUE(file.read("/diagnostic/gains/clip").equal(at::tensor({0, 4, 9}, at::kLong)));
  EXPECT_TRUE(file.read("/clip").equal(at::arange(4)));
  EXPECT_EQ(std::get<std::string>(file.attribute("/diagnostic/gains/unused", "unit")), "s");
  EXPECT_EQ(std::get<std::string>(file.attribute("/diagnostic/gains/clip", "CLASS")),
            "DIMENSION_SCALE");
  const auto attributes = file.attributes("/diagnostic/gains/rms");
  EXPECT_EQ(attributes.count("part_scales"), 0U);
  EXPECT_EQ(attributes.count("part_scale direction"), 0U);
  EXPECT_EQ(attributes.count("part_scale unused/unit"), 0U);
}

TEST(MergeParts, RefusesPartsThatDisagreeAboutAScale) {
  const TemporaryFolder folder;
  write_all_parts(folder.path());
  write_gains(folder.path(), 0, {"tint", "blur"});
  write_gains(folder.path(), 1, {"tint", "noise"});

  const auto error = io_error_of(
      [&] { merge_parts(folder.path(), folder.path() / "study.h5", Communicator::self()); });

  EXPECT_THAT(error, HasSubstr("gains-1.h5"));
  EXPECT_THAT(error, HasSubstr("other values along direction"));
}

TEST(MergeParts, RefusesPartsOfDifferentRuns) {
  const TemporaryFolder folder;
  write_all_parts(folder.path());
  PartWriter part(folder.path(), "odd");
  part.add({"/metrics/clip/psnr", {0, 0, 0, 0}, {9, 9, 9, 9}, {"arm", "seed", "scene", "clip"}},
           at::ones({1}, at::kDouble));
  part.commit();

  const auto error = io_error_of(
      [&] { merge_parts(folder.path(), folder.path() / "study.h5", Communicator::self()); });

  EXPECT_THAT(error, HasSubstr("odd.h5"));
  EXPECT_THAT(error, HasSubstr("different runs"));
  EXPECT_FALSE(std::filesystem::exists(folder / "study.h5"));
}

TEST(MergeParts, NamesADamagedPart) {
  const TemporaryFolder folder;
  write_all_parts(folder.path());
  const auto path = part_path(folder.path(), "base-1").string();
  write_bytes(path, bytes_of_file(path).substr(0, 700));

  EXPECT_THAT(io_error_of([&] {
                merge_parts(folder.path(), folder.path() / "study.h5", Communicator::self());
              }),
              HasSubstr("base-1.h5"));
}

TEST(MergeParts, NoticesAFlippedBitInAPart) {
  const TemporaryFolder folder;
  write_all_parts(folder.path());
  const auto path = part_path(folder.path(), "base-1").string();
  const auto whole = bytes_of_file(path);
  const auto merged = [&] {
    return io_error_of(
        [&] { merge_parts(folder.path(), folder.path() / "study.h5", Communicator::self()); });
  };
  // The last byte of the file's largest run of numbers: found by writing another value there.
  const auto value = Hdf5File::open(path).read(Hdf5File::open(path).datasets().front());
  const std::string bytes(static_cast<const char*>(value.const_data_ptr()), value.nbytes());
  const auto at = whole.find(bytes);
  ASSERT_NE(at, std::string::npos);
  auto flipped = whole;
  flipped[at + 3] = static_cast<char>(flipped[at + 3] ^ 1);
  write_bytes(path, flipped);

  EXPECT_THAT(merged(),
              AllOf(HasSubstr("base-1.h5"), HasSubstr("checksum"), HasSubstr("remove that file")));
  write_bytes(path, whole);
  EXPECT_EQ(merged(), "no IoError");
}

TEST(MergeParts, ReportsADiskThatRefuses) {
  const TemporaryFolder folder;
  write_all_parts(folder.path());

  const FileSizeLimit limit(3000);
  EXPECT_THAT(io_error_of([&] {
                merge_parts(folder.path(), folder.path() / "study.h5", Communicator::self());
              }),
              AllOf(HasSubstr("study.h5"), HasSubstr("File too large"), HasSubstr("needs"),
                    HasSubstr("`ulimit -f` allows 3000")));
  EXPECT_THAT(
      io_error_of([&] {
        PartWriter part(folder.path(), "large");
        part.add({"/x", {0}, {4000}, {"arm"}}, at::ones({4000}));
        part.commit();
      }),
      AllOf(HasSubstr("large"), HasSubstr("the file needs"), HasSubstr("`ulimit -f` allows 3000")));
  EXPECT_FALSE(part_exists(folder.path(), "large"));
  EXPECT_FALSE(std::filesystem::exists(folder / "study.h5"));
}

}  // namespace
}  // namespace svi
