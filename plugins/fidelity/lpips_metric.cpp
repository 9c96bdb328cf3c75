// lpips: distance of a frame from the truth's in the features of AlexNet or VGG16.
#include <svi/core/check.hpp>

#include "fidelity.hpp"
#include "vision/lpips.hpp"

namespace {

using svi::vision::Lpips;
using svi::vision::LpipsTrunk;

class LpipsSession final : public fidelity::PairSession {
 public:
  explicit LpipsSession(std::shared_ptr<Lpips> network)
      : PairSession(1), network_(std::move(network)) {}

 private:
  std::vector<double> compare(const at::Tensor& frame, const at::Tensor& truth) override {
    return {(*network_)(frame, truth)};
  }

  std::shared_ptr<Lpips> network_;
};

/// `lpips` (AlexNet) or `lpips_vgg`: the mean of LPIPS over frames.
class LpipsMetric final : public svi::Metric {
 public:
  struct Config {
    LpipsTrunk net = LpipsTrunk::alex;
    std::string file;
    std::string heads;

    void describe(svi::OptionVisitor& visit) {
      visit(net, {.key = "net",
                  .help = "whose features are compared: alex (quantity lpips, what most papers "
                          "print) or vgg (lpips_vgg)"});
      visit(file,
            {.key = "file",
             .help = "weights of the network in torchvision's names; empty: torchvision's file "
                     "in the folder of [evaluation] weights"});
      visit(heads, {.key = "heads",
                    .help = "linear heads in the names of the lpips package; empty: its file in "
                            "the folder of [evaluation] weights"});
    }
  };

  explicit LpipsMetric(Config config) : config_(std::move(config)) {}

  std::vector<svi::Quantity> quantities() const override {
    return {{.name = alex() ? "lpips" : "lpips_vgg",
             .unit = "1",
             .meaning = svi::cat("LPIPS v0.1 (", alex() ? "AlexNet" : "VGG16",
                                 ") of each frame to the truth, mean over frames"),
             .better = svi::Better::lower,
             .per_frame = true,
             .needs_truth = true}};
  }
  std::vector<svi::MetricFile> needs() const override { return {trunk_file(), heads_file()}; }

  void ready(const svi::MetricContext& context) override {
    const auto& trunk = context.file("trunk");
    const auto& heads = context.file("heads");
    network_ = context.features.get<Lpips>(
        svi::cat("lpips v0.1 ", alex() ? "alex" : "vgg"), trunk.sha256 + heads.sha256, [&] {
          using svi::vision::Weights;
          return std::make_shared<Lpips>(config_.net, Weights::open(trunk.path, context.device),
                                         Weights::open(heads.path, context.device));
        });
  }
  std::unique_ptr<svi::MetricSession> open() const override {
    return std::make_unique<LpipsSession>(network_);
  }

 private:
  bool alex() const { return config_.net == LpipsTrunk::alex; }

  svi::MetricFile trunk_file() const {
    const std::string file = alex() ? "alexnet-owt-7be5be79.pth" : "vgg16-397923af.pth";
    return {.name = "trunk",
            .what = alex() ? "AlexNet trained on ImageNet, torchvision's IMAGENET1K_V1"
                           : "VGG16 trained on ImageNet, torchvision's IMAGENET1K_V1",
            .file = file,
            .bytes = alex() ? 244408911 : 553433881,
            .sha256 = !config_.file.empty() ? ""
                      : alex()              ? "7be5be79"
                                            : "397923af",
            .source = "https://download.pytorch.org/models/" + file + " (BSD-3-Clause)",
            .given = config_.file,
            .option = "file"};
  }
  svi::MetricFile heads_file() const {
    const std::string name = alex() ? "alex" : "vgg";
    return {.name = "heads",
            .what = "linear heads of LPIPS v0.1 for " + name,
            .file = alex() ? "LPIPS_v0.1_alex-df73285e.pth" : "LPIPS_v0.1_vgg-a78928a0.pth",
            .bytes = alex() ? 6009 : 7289,
            .sha256 = !config_.heads.empty() ? ""
                      : alex()               ? "df73285e"
                                             : "a78928a0",
            .source = "IQA-PyTorch, or as lpips/weights/v0.1/" + name +
                      ".pth in the lpips 0.1.4 wheel on PyPI (BSD-2-Clause)",
            .given = config_.heads,
            .option = "heads"};
  }

  Config config_;
  std::shared_ptr<Lpips> network_;
};

}  // namespace

void fidelity::register_lpips(svi::Registrar& registrar) {
  registrar.add<svi::Metric, LpipsMetric>(
      "lpips", "distance to the truth in the features of AlexNet or VGG16");
}
