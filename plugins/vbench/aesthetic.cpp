// aesthetic_quality: section 3 of VBench (Huang et al. 2024, arXiv 2311.17982);
// LAION's linear head (github.com/LAION-AI/aesthetic-predictor, the first
// version) on CLIP ViT-L/14.
#include <ATen/ATen.h>

#include <svi/plugin/registry.hpp>

#include "frame_values.hpp"
#include "networks.hpp"
#include "registration.hpp"
#include "vbench/long/long_dimension.hpp"
#include "vision/layers.hpp"

namespace svi::vbench {
namespace {

/// The head and the tower that it looks through.
struct Aesthetic {
  std::shared_ptr<FrameNetwork> tower;
  vision::Linear head;  // [1, D]

  /// A tenth of LAION's score, which goes from 1 to 10, of each frame.
  std::vector<double> operator()(const at::Tensor& frames) const {
    const auto features = tower->features(frames);  // [T, D]
    const auto unit = features / features.norm(2, {1}, true).clamp_min(1e-12);
    std::vector<double> values;
    const auto scores = head(unit).squeeze(1);  // [T]
    for (std::int64_t t = 0; t < scores.size(0); ++t)
      values.push_back(scores[t].item<double>() / 10);
    return values;
  }
};

class AestheticSession final : public FrameValues {
 public:
  explicit AestheticSession(std::shared_ptr<const Aesthetic> judge) : judge_(std::move(judge)) {}

 private:
  std::vector<double> measure(const ClipView& clip) override { return (*judge_)(clip.frames); }

  std::shared_ptr<const Aesthetic> judge_;
};

/// `aesthetic_quality`: a film's value is the mean over its frames, a set's
/// over its films.
class AestheticMetric final : public OneNetworkMetric<AestheticSession, const Aesthetic> {
 public:
  struct Config {
    std::string file, head;

    void describe(OptionVisitor& visit) {
      visit(file, {.key = "file",
                   .help = "weights of CLIP's image tower ViT-L/14 by OpenAI's "
                           "names; empty: the "
                           "official file in the folder of [evaluation] weights"});
      visit(head, {.key = "head",
                   .help = "LAION's linear head; empty: the official file in that folder"});
    }
  };

  explicit AestheticMetric(Config config) : config_(std::move(config)) {}
  std::vector<Quantity> quantities() const override {
    return {frame_quantity("aesthetic_quality",
                           "a tenth of LAION's aesthetic score, by CLIP "
                           "ViT-L/14 and a linear head")};
  }
  std::vector<MetricFile> needs() const override {
    return {clip_l14_file(config_.file), aesthetic_head_file(config_.head)};
  }
  void ready(const MetricContext& context) override {
    const auto judge = std::make_shared<Aesthetic>();
    judge->tower = clip_middle(context, "clip_l14");
    auto weights = vision::Weights::open(context.file("aesthetic_head").path);
    judge->head.weight = weights.take("weight", {1, weights.size("weight", 1)});
    judge->head.bias = weights.take("bias", {1});
    weights.finish();
    network_ = judge;
  }

 private:
  Config config_;
};

}  // namespace

void add_aesthetic(Registrar& registrar) {
  registrar.add<Metric, AestheticMetric>(
      "aesthetic_quality", "VBench: how beautiful frames are, by CLIP and LAION's head");
  registrar.add<Metric, LongDimension<AestheticMetric>>(
      "long_aesthetic_quality", "VBench-Long: how beautiful a long film is, clip by clip");
}

}  // namespace svi::vbench
