#include "svi/metric/metric_context.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"
#include "svi/metric/metric.hpp"

namespace svi {
namespace {

constexpr const char* kContent = "some weights";

/// Two features per frame, its mean and how often the extractor was asked before.
class CountingExtractor final : public FeatureExtractor {
 public:
  int computed = 0;

 private:
  at::Tensor compute(const at::Tensor& frames) override {
    ++computed;
    EXPECT_FALSE(c10::GradMode::is_enabled());
    return at::stack({frames.mean({0, 2, 3}), at::full({frames.size(1)}, computed)}, 1);
  }
};

TEST(MetricFile, IsFoundByItsNameInTheFolderOrWhereAnOptionPoints) {
  const TemporaryFolder folder;
  write_bytes(folder / "net.pth", kContent);
  const auto hash = sha256_hex(kContent);
  MetricFile file{.name = "net", .what = "a net", .file = "net.pth", .sha256 = hash};

  EXPECT_EQ(locate(file, folder.path()).path, folder / "net.pth");
  EXPECT_EQ(locate(file, folder.path()).problem, "");
  EXPECT_EQ(locate(file, folder.path()).sha256, hash);
  file.given = folder / "net.pth";
  EXPECT_EQ(locate(file, "elsewhere").problem, "");
  file.given = folder / "other.pth";
  EXPECT_EQ(locate(file, folder.path()).problem, "does not exist");
  file.given = folder.path().string();
  EXPECT_EQ(locate(file, folder.path()).problem, "is no file");
}

TEST(MetricFile, OfOtherContentIsNotTheOneWanted) {
  const TemporaryFolder folder;
  write_bytes(folder / "net.pth", kContent);
  const auto hash = sha256_hex(kContent);
  MetricFile file{.name = "net", .what = "a net", .file = "net.pth"};

  EXPECT_EQ(locate(file, folder.path()).problem, "");  // any content
  file.sha256 = hash.substr(0, 8);
  EXPECT_EQ(locate(file, folder.path()).problem, "");
  file.sha256 = std::string(8, hash[0] == '0' ? '1' : '0');
  EXPECT_EQ(locate(file, folder.path()).problem, "is another file: its SHA-256 is " + hash);
  EXPECT_FALSE(is_wanted(file, ""));
}

TEST(MetricFile, ThatIsMissingIsDescribedInOneLine) {
  const MetricFile file{.name = "net",
                        .what = "a net of nets",
                        .file = "net.pth",
                        .bytes = 1234,
                        .sha256 = "0123abcd",
                        .source = "https://example.org/net.pth",
                        .option = "file"};
  const auto text = missing_text(file, locate(file, "nowhere"), "metric.mine");

  EXPECT_EQ(text,
            "[metric.mine] is missing net (a net of nets): nowhere/net.pth does not exist; wanted: "
            "net.pth, 1234 bytes, SHA-256 beginning with 0123abcd; get it from "
            "https://example.org/net.pth; put it into the folder of [evaluation] weights, or name "
            "it by [metric.mine] file");
}

TEST(FeatureStore, LoadsANetworkOncePerKindAndContent) {
  FeatureStore store;
  int made = 0;
  const auto get = [&](const std::string& kind, const std::string& hash) {
    return store.get<CountingExtractor>(kind, hash, [&] {
      ++made;
      return std::make_shared<CountingExtractor>();
    });
  };
  const auto first = get("net", "a");
  EXPECT_EQ(get("net", "a"), first);
  EXPECT_NE(get("net", "b"), first);
  EXPECT_NE(get("net/large", "a"), first);
  EXPECT_EQ(made, 3);
  EXPECT_EQ(store.size(), 3u);
  EXPECT_THROW(store.get<int>("net", "a", [] { return std::make_shared<int>(1); }), Error);
}

TEST(FeatureExtractor, ComputesFeaturesOfAClipOnceHoweverManyAsk) {
  CountingExtractor extractor;
  const auto film = at::rand({3, 5, 4, 4}), truth = at::rand({3, 5, 4, 4});
  const auto features = extractor.features(film);
  const auto of_truth = extractor.features(truth);

  EXPECT_TRUE(extractor.features(film).is_same(features));
  EXPECT_TRUE(extractor.features(truth).is_same(of_truth));
  EXPECT_EQ(extractor.computed, 2);
  extractor.features(film.clone());  // another clip
  EXPECT_EQ(extractor.computed, 3);
  EXPECT_TRUE(extractor.features(truth).is_same(of_truth));
  EXPECT_FALSE(extractor.features(film).is_same(features));  // forgotten
}

TEST(MetricContext, GivesOnlyFilesThatAreNeeded) {
  FeatureStore store;
  const auto alone = Communicator::self();
  MetricContext context{at::kCPU, alone, 0, store, {{"net", {"net.pth", "ab", ""}}}};
  EXPECT_EQ(context.file("net").path, "net.pth");
  EXPECT_THROW(context.file("other"), Error);
}

}  // namespace
}  // namespace svi
