#include "svi/core/check.hpp"

#include <gtest/gtest.h>

#include "svi/core/clock.hpp"
#include "svi/core/handle.hpp"
#include "svi/core/sha256.hpp"

namespace svi {
namespace {

TEST(Check, NamesTheConditionAndTheValues) {
  try {
    SVI_CHECK(1 + 1 == 3, "got ", 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "check failed: 1 + 1 == 3 | got 2");
  }
}

TEST(Sha256, MatchesTheStandardsExample) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(HumanDuration, PicksReadableUnits) {
  EXPECT_EQ(human_duration(12.4), "12 s");
  EXPECT_EQ(human_duration(200), "3 min 20 s");
  EXPECT_EQ(human_duration(3725), "1 h 02 min");
}

int closed = 0;
struct Counted {
  using Raw = int;
  static Raw null() { return -1; }
  static void close(Raw) noexcept { ++closed; }
};

TEST(Handle, ClosesOnceHoweverOftenItMoves) {
  closed = 0;
  {
    Handle<Counted> first(3);
    Handle<Counted> second(std::move(first));
    Handle<Counted> third;
    third = std::move(second);
    EXPECT_FALSE(second);
    EXPECT_EQ(third.get(), 3);
  }

  EXPECT_EQ(closed, 1);
}

}  // namespace
}  // namespace svi
