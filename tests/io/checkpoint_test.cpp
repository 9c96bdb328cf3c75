#include "svi/io/checkpoint.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {
namespace {

Checkpoint checkpoint_at(std::int64_t step) {
  return {step,
          {{"weight", at::full({3}, static_cast<float>(step))}, {"bank/0", at::arange(2)}},
          {{"seed", "7"}}};
}

TEST(CheckpointFolder, GivesTheNewestBack) {
  const TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path() / "job");
  EXPECT_FALSE(checkpoints.load_newest().has_value());

  for (const std::int64_t step : {9, 10, 11}) checkpoints.save(checkpoint_at(step));

  const auto newest = checkpoints.load_newest();
  ASSERT_TRUE(newest.has_value());
  EXPECT_EQ(newest->step, 11);
  EXPECT_EQ(newest->metadata, (std::map<std::string, std::string>{{"seed", "7"}}));
  ASSERT_EQ(newest->tensors.size(), 2U);
  EXPECT_EQ(newest->tensors[0].first, "weight");
  EXPECT_TRUE(newest->tensors[0].second.eq(11).all().item<bool>());
}

TEST(CheckpointFolder, KeepsTheNewestAndTheOneBefore) {
  const TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());

  for (const std::int64_t step : {1, 2, 3, 4}) checkpoints.save(checkpoint_at(step));

  EXPECT_EQ(folder.count(), 2);
  checkpoints.clear();
  EXPECT_EQ(folder.count(), 0);
}

TEST(CheckpointFolder, PassesOverADamagedOne) {
  const TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());
  for (const std::int64_t step : {1, 2}) checkpoints.save(checkpoint_at(step));
  const auto path = folder / "step-000000002.safetensors";
  write_bytes(path, bytes_of_file(path).substr(0, 60));

  const auto newest = checkpoints.load_newest();

  ASSERT_TRUE(newest.has_value());
  EXPECT_EQ(newest->step, 1);
}

TEST(CheckpointFolder, PassesOverOneWithASingleFlippedBit) {
  const TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path());
  for (const std::int64_t step : {1, 2}) checkpoints.save(checkpoint_at(step));
  const auto path = folder / "step-000000002.safetensors";
  const auto whole = bytes_of_file(path);

  for (std::size_t i = 8; i < whole.size(); ++i) {  // the header's length, and everything after it
    auto bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 4);
    write_bytes(path, bytes);
    const auto newest = checkpoints.load_newest();
    ASSERT_TRUE(newest.has_value());
    if (newest->step == 1) continue;
    // Space that pads the header, or the name of the checksum itself: the values are right.
    EXPECT_EQ(newest->step, 2) << "byte " << i;
    EXPECT_TRUE(newest->tensors[0].second.eq(2).all().item<bool>()) << "byte " << i;
    EXPECT_TRUE(newest->tensors[1].second.equal(at::arange(2))) << "byte " << i;
  }
  write_bytes(path, whole);
  EXPECT_EQ(checkpoints.load_newest()->step, 2);
}

TEST(CheckpointFolder, ReadsOlderFilesWithoutChecksum) {
  const TemporaryFolder folder;
  save_safetensors(folder.path() / "step-000000005.safetensors", {{"weight", at::ones({2})}},
                   {{"svi_step", "5"}, {"seed", "7"}});

  const auto newest = CheckpointFolder(folder.path()).load_newest();

  ASSERT_TRUE(newest.has_value());
  EXPECT_EQ(newest->step, 5);
  EXPECT_EQ(newest->metadata, (std::map<std::string, std::string>{{"seed", "7"}}));
}

}  // namespace
}  // namespace svi
