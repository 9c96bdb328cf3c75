#include "svi/encoder/text_encoder.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <thread>

#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLength = 32, kDim = 6;

// A folder for the cache, and a network that counts: row i of a text is its id, sixfold.
class TextEncoder : public ::testing::Test {
 protected:
  TextEncoder() { fs::remove_all(folder); }
  ~TextEncoder() override { fs::remove_all(folder); }

  WanTextEncoder make(const std::string& weights = "w", at::ScalarType dtype = at::kFloat) {
    return WanTextEncoder(
        Tokenizer::open(fs::path(SVI_SOURCE_DIR) / "tests/data/encoder/tiny.model"),
        [this] {
          ++opened;
          return WanTextEncoder::Encode([this](const at::Tensor& ids) {
            ++computed;
            return ids.unsqueeze(-1).expand({1, ids.size(1), kDim}).to(at::kFloat);
          });
        },
        {.weights = weights, .length = kLength, .dim = kDim, .dtype = dtype, .cache = folder});
  }

  const fs::path folder = fs::temp_directory_path() / cat("svi-text-cache-", ::getpid());
  int opened = 0, computed = 0;
};

TEST_F(TextEncoder, IsZeroAfterTheEndSymbol) {
  auto encoder = make();
  const auto context = encoder.encode({"A cat.", ""});

  ASSERT_EQ(context.sizes(), at::IntArrayRef({2, kLength, kDim}));
  const auto ids =
      Tokenizer::open(fs::path(SVI_SOURCE_DIR) / "tests/data/encoder/tiny.model").encode("A cat.");
  const auto n = static_cast<std::int64_t>(ids.size());
  EXPECT_TRUE(at::equal(context[0].select(1, 0).narrow(0, 0, n), at::tensor(ids).to(at::kFloat)));
  EXPECT_EQ(context[0].narrow(0, n, kLength - n).abs().max().item<float>(), 0);
  EXPECT_EQ(context[1].count_nonzero().item<std::int64_t>(), kDim);  // the end symbol alone
}

TEST_F(TextEncoder, CleansAPromptFirst) {
  auto encoder = make();
  EXPECT_EQ(encoder.cache_file(" cafÃ©&amp;\n bar "), encoder.cache_file("café& bar"));
}

TEST_F(TextEncoder, OpensTheNetworkOnlyForWhatIsNotKept) {
  const std::string prompt = "A red boat.";
  at::Tensor first;
  {
    auto encoder = make();
    EXPECT_FALSE(encoder.is_open());
    first = encoder.encode({prompt, prompt});
    EXPECT_EQ(computed, 1);
    encoder.release();
    EXPECT_FALSE(encoder.is_open());
  }
  auto again = make();
  EXPECT_TRUE(at::equal(again.encode({prompt})[0], first[0]));
  EXPECT_FALSE(again.is_open());
  EXPECT_EQ(opened, 1);
  again.encode({"Another boat."});
  EXPECT_EQ(opened, 2);
}

TEST_F(TextEncoder, KeepsApartWeightsDtypesAndTexts) {
  const std::set<fs::path> files = {make("w").cache_file("a"), make("x").cache_file("a"),
                                    make("w", at::kBFloat16).cache_file("a"),
                                    make("w").cache_file("b")};
  EXPECT_EQ(files.size(), 4U);
}

TEST_F(TextEncoder, ComputesDamagedFilesAgain) {
  const std::string prompt = "A green boat.";
  const auto expected = make().encode({prompt});
  const auto file = make().cache_file(prompt);
  std::ifstream in(file, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  auto flipped = whole;
  flipped[flipped.size() - 3] ^= 0x10;
  std::ifstream other_in((make().encode({"Other."}), make().cache_file("Other.")),
                         std::ios::binary);
  const std::string other{std::istreambuf_iterator<char>(other_in), {}};
  for (const auto& bytes : {std::string(), whole.substr(0, whole.size() / 2), flipped, other}) {
    write_file(file, bytes);
    const int before = computed;
    EXPECT_TRUE(at::equal(make().encode({prompt}), expected));
    EXPECT_EQ(computed, before + 1);
    EXPECT_TRUE(at::equal(make().encode({prompt}), expected));
    EXPECT_EQ(computed, before + 1);  // it was put right
  }
}

TEST_F(TextEncoder, WorksWithoutAWritableCache) {
  write_file(folder, "a file where the folder should be");
  EXPECT_EQ(make().encode({"A boat."}).size(0), 1);
  EXPECT_EQ(computed, 1);
}

TEST_F(TextEncoder, SharesItsCacheWithOthersAtTheSameTime) {
  const auto expected = make().encode({"One.", "Two.", "Three."});
  fs::remove_all(folder);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto encoder = WanTextEncoder(
          Tokenizer::open(fs::path(SVI_SOURCE_DIR) / "tests/data/encoder/tiny.model"),
          [] {
            return WanTextEncoder::Encode([](const at::Tensor& ids) {
              return ids.unsqueeze(-1).expand({1, ids.size(1), kDim}).to(at::kFloat);
            });
          },
          {.weights = "w", .length = kLength, .dim = kDim, .dtype = at::kFloat, .cache = folder});
      for (int round = 0; round < 5; ++round) {
        if (!at::equal(encoder.encode({"One.", "Two.", "Three."}), expected)) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(TextEncoder, RefusesFeaturesThatAreNotFinite) {
  WanTextEncoder encoder(
      Tokenizer::open(fs::path(SVI_SOURCE_DIR) / "tests/data/encoder/tiny.model"),
      [] {
        return WanTextEncoder::Encode([](const at::Tensor& ids) {
          return at::full({1, ids.size(1), kDim}, std::numeric_limits<float>::infinity());
        });
      },
      {.weights = "w", .length = kLength, .dim = kDim, .dtype = at::kFloat, .cache = folder});
  EXPECT_THROW(encoder.encode({"A boat."}), Error);
  EXPECT_FALSE(fs::exists(encoder.cache_file("A boat.")));
}

TEST(WeightsIdentity, ChangesWithNamesShapesDtypesAndValues) {
  const auto identity = [](const std::string& name, const at::Tensor& tensor) {
    return weights_identity({{name, tensor}});
  };
  const auto tensor = at::arange(100000, at::kFloat);
  auto first = tensor.clone(), last = tensor.clone();
  first[0] = 7;
  last[99999] = 7;
  const std::set<std::string> all = {identity("a", tensor),
                                     identity("b", tensor),
                                     identity("a", tensor.view({1000, 100})),
                                     identity("a", tensor.to(at::kBFloat16)),
                                     identity("a", first),
                                     identity("a", last)};
  EXPECT_EQ(all.size(), 6U);
  EXPECT_EQ(identity("a", tensor), identity("a", tensor.clone()));
}

TEST(TextCache, FollowsTheXdgVariables) {
  ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(default_text_cache(), fs::path("/somewhere/svi/text"));
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  ::setenv("HOME", "/home/me", 1);
  EXPECT_EQ(default_text_cache(), fs::path("/home/me/.cache/svi/text"));
}

}  // namespace
}  // namespace svi
