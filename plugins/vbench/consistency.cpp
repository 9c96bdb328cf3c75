// subject_consistency and background_consistency: sections 1 and 2 of VBench
// (Huang et al. 2024, arXiv 2311.17982); each frame's features against those of
// the frame before and of the first.
#include <ATen/ATen.h>

#include <svi/plugin/registry.hpp>

#include "frame_values.hpp"
#include "networks.hpp"
#include "registration.hpp"

namespace svi::vbench {
namespace {

class ConsistencySession final : public FrameValues {
 public:
  explicit ConsistencySession(std::shared_ptr<FrameNetwork> network)
      : network_(std::move(network)) {}

 private:
  std::vector<double> measure(const ClipView& clip) override {
    const auto features = network_->features(clip.frames);  // [T, D]
    std::vector<double> values;
    for (std::int64_t t = 0; t < features.size(0); ++t) values.push_back(chain_.add(features[t]));
    return values;
  }

  std::shared_ptr<FrameNetwork> network_;
  Chain chain_;
};

/// What the two metrics differ in.
struct Subject {
  static constexpr const char* kName = "subject_consistency";
  static constexpr const char* kMeaning =
      "mean cosine similarity of a frame to the frame before and to the first, "
      "in DINO ViT-B/16";
  static constexpr const char* kWeights = "DINO's weights by their official names";
  static MetricFile file(const std::string& given) { return dino_file(given); }
  static std::shared_ptr<FrameNetwork> network(const MetricContext& context, bool official) {
    return dino_whole(context, official);
  }
};
struct Background {
  static constexpr const char* kName = "background_consistency";
  static constexpr const char* kMeaning =
      "mean cosine similarity of a frame to the frame before and to the first, "
      "in CLIP ViT-B/32";
  static constexpr const char* kWeights = "weights of CLIP's image tower by OpenAI's names";
  static MetricFile file(const std::string& given) { return clip_b32_file(given); }
  static std::shared_ptr<FrameNetwork> network(const MetricContext& context, bool) {
    return clip_middle(context, "clip_b32");
  }
};

/// `subject_consistency`, `background_consistency`: a film's value is the mean
/// over its frames without the first; a set's counts every such frame of all
/// films once.
template <class Kind>
class ConsistencyMetric final
    : public OneNetworkMetric<ConsistencySession, FrameNetwork, mean_of_values> {
 public:
  struct Config {
    std::string file;

    void describe(OptionVisitor& visit) {
      visit(file,
            {.key = "file",
             .help = std::string(Kind::kWeights) + "; empty: the official file in the folder of "
                                                   "[evaluation] weights"});
    }
  };

  explicit ConsistencyMetric(Config config) : config_(std::move(config)) {}
  std::vector<Quantity> quantities() const override {
    return {frame_quantity(Kind::kName, Kind::kMeaning)};
  }
  std::vector<MetricFile> needs() const override { return {Kind::file(config_.file)}; }
  void ready(const MetricContext& context) override {
    this->network_ = Kind::network(context, config_.file.empty());
  }

 private:
  Config config_;
};

}  // namespace

void add_consistency(Registrar& registrar) {
  registrar.add<Metric, ConsistencyMetric<Subject>>(
      Subject::kName, "VBench: whether a film keeps showing the same subject, by DINO");
  registrar.add<Metric, ConsistencyMetric<Background>>(
      Background::kName, "VBench: whether a film keeps showing the same scene, by CLIP");
}

}  // namespace svi::vbench
