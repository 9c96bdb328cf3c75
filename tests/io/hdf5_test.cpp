#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/io_error.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/hdf5_file.hpp"

namespace svi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Hdf5File, GivesTensorsOfEachTypeBack) {
  const TemporaryFolder folder;
  const std::vector<at::Tensor> tensors = {
      at::arange(6, at::kFloat).view({2, 3}), at::arange(6, at::kDouble).view({3, 2}),
      at::arange(4, at::kLong) - 2,           at::arange(4, at::kInt),
      at::arange(256).to(at::kByte),          at::full({}, 2.5, at::kDouble)};

  auto file = Hdf5File::create(folder / "a.h5");
  for (std::size_t i = 0; i < tensors.size(); ++i) file.put(cat("/group/t", i), tensors[i]);
  file.close();

  const auto back = Hdf5File::open(folder / "a.h5");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto tensor = back.read(cat("/group/t", i));
    EXPECT_EQ(tensor.scalar_type(), tensors[i].scalar_type());
    EXPECT_TRUE(tensor.equal(tensors[i])) << i;
  }
  EXPECT_EQ(back.datasets().size(), tensors.size());
}

TEST(Hdf5File, WritesBlocksAndLeavesTheRestNaN) {
  const TemporaryFolder folder;
  auto file = Hdf5File::create(folder / "a.h5");
  file.create_dataset("/x", {3, 4}, at::kDouble);
  file.create_dataset("/n", {2}, at::kLong);

  file.write("/x", at::tensor({7.0, 8.0}), {1, 2});

  const auto x = file.read("/x");
  EXPECT_EQ(x[1][2].item<double>(), 7.0);
  EXPECT_EQ(x.isnan().sum().item<std::int64_t>(), 10);
  EXPECT_EQ(file.read("/n").sum().item<std::int64_t>(), 0);
  EXPECT_TRUE(file.read("/x", {1, 2}, {1, 2}).equal(at::tensor({7.0, 8.0}).view({1, 2})));
  EXPECT_THROW(file.write("/x", at::tensor({1.0, 2.0}), {1, 3}), Error);
  EXPECT_THROW(file.write("/x", at::tensor({1.0F}), {1, 3}), Error);
}

TEST(Hdf5File, KeepsAttributesOfEachType) {
  const TemporaryFolder folder;
  const Attributes attributes = {{"text", std::string("grün")},
                                 {"empty", std::string()},
                                 {"whole", std::int64_t{-3}},
                                 {"real", 0.1},
                                 {"texts", std::vector<std::string>{"a", "", "longer"}},
                                 {"wholes", std::vector<std::int64_t>{1, 2}},
                                 {"reals", std::vector<double>{1.5}},
                                 {"none", std::vector<double>{}}};
  auto file = Hdf5File::create(folder / "a.h5");
  file.create_group("/g/h");
  file.set_attribute("/g/h", "whole", std::string("replaced below"));

  file.set_attributes("/g/h", attributes);

  EXPECT_EQ(file.attributes("/g/h"), attributes);
  EXPECT_EQ(std::get<double>(file.attribute("/g/h", "real")), 0.1);
}

TEST(Hdf5File, KeepsTextsAndNames) {
  const TemporaryFolder folder;
  auto file = Hdf5File::create(folder / "a.h5");
  const std::string text = "[a]\nb = ä\n" + std::string(100000, 'x');

  file.put_text("/text", text);
  file.put_text("/empty", "");
  file.put_strings("/group/names", {"erft", "", "base chaining"});

  EXPECT_EQ(file.text("/text"), text);
  EXPECT_EQ(file.text("/empty"), "");
  EXPECT_THAT(file.strings("/group/names"), ElementsAre("erft", "", "base chaining"));
  EXPECT_THAT(file.children("/"), ElementsAre("empty", "group", "text"));
  EXPECT_TRUE(file.contains("/group/names"));
  EXPECT_FALSE(file.contains("/nothing/names"));
}

TEST(Hdf5File, CompressesChunks) {
  const TemporaryFolder folder;
  auto file = Hdf5File::create(folder / "a.h5");

  file.put("/zeros", at::zeros({64, 1024}, at::kByte), {.chunk = {1, 1024}, .deflate = 4});
  file.close();

  EXPECT_LT(std::filesystem::file_size(folder / "a.h5"), 20000U);
  EXPECT_EQ(Hdf5File::open(folder / "a.h5").read("/zeros").sum().item<std::int64_t>(), 0);
}

TEST(Hdf5File, NamesFileAndReason) {
  const TemporaryFolder folder;
  write_bytes(folder / "text.h5", "no HDF5 at all");
  auto file = Hdf5File::create(folder / "a.h5");

  EXPECT_THAT(io_error_of([&] { Hdf5File::open(folder / "none.h5"); }),
              HasSubstr("none.h5: no such file"));
  EXPECT_THAT(io_error_of([&] { Hdf5File::open(folder / "text.h5"); }),
              HasSubstr("file signature not found"));
  EXPECT_THAT(io_error_of([&] { Hdf5File::create(folder / "no/folder.h5"); }),
              HasSubstr("No such file or directory"));
  EXPECT_THAT(io_error_of([&] { file.read("/nothing"); }), HasSubstr("a.h5: no dataset /nothing"));
}

TEST(Hdf5File, AttachesScales) {
  const TemporaryFolder folder;
  auto file = Hdf5File::create(folder / "a.h5");
  file.put("/seed", at::arange(2));
  file.make_scale("/seed", "seed");
  file.put("/loss", at::zeros({2, 5}));

  file.label_dimension("/loss", 0, "seed", "/seed");
  file.label_dimension("/loss", 1, "step", "");

  EXPECT_EQ(std::get<std::string>(file.attribute("/seed", "CLASS")), "DIMENSION_SCALE");
  EXPECT_EQ(std::get<std::vector<std::string>>(file.attribute("/loss", "DIMENSION_LABELS")),
            (std::vector<std::string>{"seed", "step"}));
}

}  // namespace
}  // namespace svi
