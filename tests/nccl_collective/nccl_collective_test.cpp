// What can be said of the plugin where no GPU is: that it loads, registers and refuses clearly.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/parallel/collective.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

TEST(NcclPlugin, LoadsWithoutAGpuAndRefusesCpuTensors) {
  Registry registry;
  const auto plugin = load_plugin(SVI_NCCL_PLUGIN, registry);
  EXPECT_EQ(plugin.name, "nccl_collective");
  const auto collective = registry.make<Collective>(
      Document::parse("[collective]\ntype = nccl\npiece_mib = 8\n", "test"), "mpi");
  auto tensor = at::ones({2});

  EXPECT_THROW(collective->sum(tensor), Error);
  collective->connect(Communicator::self());
  try {
    collective->sum(tensor);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("type = mpi"));
  }
}

}  // namespace
}  // namespace svi
