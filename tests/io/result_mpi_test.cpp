#include <gtest/gtest.h>

#include "io/result_fixture.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using namespace result_fixture;

/// A folder of rank 0 that all ranks use.
class SharedFolder {
 public:
  explicit SharedFolder(const Communicator& world) : world_(world) {
    if (world.rank() == 0) own_ = std::make_unique<TemporaryFolder>();
    path_ = world.broadcast(own_ ? own_->path().string() : std::string());
  }
  ~SharedFolder() { world_.barrier(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  Communicator world_;
  std::unique_ptr<TemporaryFolder> own_;
  std::filesystem::path path_;
};

TEST(MergePartsOnRanks, GivesTheDatasetsThatOneRankGives) {
  const auto world = Communicator::world();
  const SharedFolder folder(world);
  if (world.rank() == 0) write_all_parts(folder.path());
  world.barrier();

  merge_parts(folder.path(), folder.path() / "all.h5", world);

  if (world.rank() != 0) return;
  merge_parts(folder.path(), folder.path() / "one.h5", Communicator::self());
  const auto all = Hdf5File::open((folder.path() / "all.h5").string());
  const auto one = Hdf5File::open((folder.path() / "one.h5").string());
  ASSERT_EQ(all.datasets(), one.datasets());
  EXPECT_EQ(all.attributes("/"), one.attributes("/"));
  for (const auto& path : all.datasets()) {
    EXPECT_EQ(all.attributes(path), one.attributes(path)) << path;
    if (all.holds_text(path)) {
      EXPECT_EQ(all.strings(path), one.strings(path)) << path;
      continue;
    }
    const auto a = all.read(path), b = one.read(path);
    ASSERT_EQ(a.nbytes(), b.nbytes()) << path;
    EXPECT_EQ(std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()), 0) << path;
  }
  EXPECT_EQ(std::filesystem::exists(folder.path() / "all.h5"), true);
}

TEST(MergePartsOnRanks, ThrowsAlikeOnAllRanks) {
  const auto world = Communicator::world();
  const SharedFolder folder(world);
  if (world.rank() == 0) {
    write_all_parts(folder.path());
    // Its tail holds the numbers, not the description.
    const auto path = part_path(folder.path(), "erft-0");
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  }
  world.barrier();

  EXPECT_THROW(merge_parts(folder.path(), folder.path() / "all.h5", world), IoError);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "all.h5"));
}

}  // namespace
}  // namespace svi
