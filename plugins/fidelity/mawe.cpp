// mawe: motion-aware warp error of StreamingT2V (Henschel et al. 2024, arXiv 2403.14773): how badly
// frames fit where the flow before them leads, over how much moves.
//
// Facts are from the authors' mawe.py: RAFT of torchvision on frames of 720 x 720, pixels moved
// forward to the nearest place, the error of those that arrive in 8-bit levels, over 9.5 times the
// mean length of the flow.
#include <ATen/ATen.h>

#include <cmath>
#include <svi/core/check.hpp>
#include <vector>

#include "fidelity.hpp"
#include "mawe_error.hpp"
#include "vision/flow/raft.hpp"
#include "vision/flow/warp.hpp"
#include "vision/preprocess.hpp"

namespace {

using svi::vision::Raft;

struct MaweConfig {
  std::string file;
  std::int64_t side = 720;
  std::int64_t iterations = 12;
  double coefficient = 9.5;

  void describe(svi::OptionVisitor& visit) {
    visit(file, {.key = "file",
                 .help = "RAFT's weights in torchvision's or the official names; empty: "
                         "torchvision's file in the folder of [evaluation] weights"});
    visit(side, {.key = "side",
                 .help = "frames are resized to squares of this side, as StreamingT2V does; 0: as "
                         "they are",
                 .unit = "px",
                 .min = 0,
                 .max = 8192});
    visit(iterations, {.key = "iterations",
                       .help = "updates of the flow; StreamingT2V: 12",
                       .min = 1,
                       .max = 1000});
    visit(coefficient, {.key = "coefficient",
                        .help = "the error is divided by this times the mean length of the flow",
                        .min = 1e-6,
                        .max = 1e6});
  }
};

class MaweSession final : public svi::MetricSession {
 public:
  MaweSession(std::shared_ptr<Raft> network, const MaweConfig& config)
      : network_(std::move(network)), config_(config) {}

  void add(const svi::ClipView& clip, svi::MetricSink& sink) override {
    std::vector<double> values;
    double sum = 0;
    std::int64_t count = 0;
    for (std::int64_t t = 0; t < clip.frames.size(1); ++t) {
      values.push_back(look(clip.frames.select(1, t)));
      if (std::isnan(values.back())) continue;
      sum += values.back();
      ++count;
    }
    sink.frames(0, values);
    sink.clip(0, count > 0 ? sum / static_cast<double>(count) : fidelity::kUndefined);
    sum_ += sum;
    count_ += count;
  }

  void finish(const svi::FilmView&, svi::MetricSink& sink) override {
    if (count_ == 0) return;
    const double value = sum_ / static_cast<double>(count_);
    sink.film(0, value);
    sink.film_features(0, at::full({1, 1}, value, at::kDouble), {});
  }

 private:
  double look(const at::Tensor& frame) {  // [3, H, W] in [0, 1]
    using svi::vision::Filter;
    auto levels = svi::vision::levels(frame).to(at::kByte);
    if (config_.side > 0) {
      levels = svi::vision::resized(levels, config_.side, config_.side, {Filter::bilinear, false});
    }
    auto seen = network_->look(levels.to(at::kFloat) / 255);
    double value = fidelity::kUndefined;
    if (before_.image.defined()) {
      const svi::vision::EdgePadding padding(levels.size(1), levels.size(2), 8);
      const auto flow = padding.removed(network_->flow(before_, seen, config_.iterations)).cpu();
      const double motion = flow.square().sum(0).sqrt_().mean(at::kDouble).item<double>();
      value = fidelity::forward_warp_error(levels_, levels, flow) / (config_.coefficient * motion);
    }
    before_ = std::move(seen);
    levels_ = levels;
    return value;
  }

  std::shared_ptr<Raft> network_;
  MaweConfig config_;
  Raft::Frame before_;
  at::Tensor levels_;  // [3, H, W] uint8, of the frame before
  double sum_ = 0;
  std::int64_t count_ = 0;
};

/// `mawe`: low where frames go on as the motion before them says, and where much moves.
class Mawe final : public svi::Metric {
 public:
  using Config = MaweConfig;

  explicit Mawe(Config config) : config_(std::move(config)) {}

  std::vector<svi::Quantity> quantities() const override {
    return {{.name = "mawe",
             .unit = "1",
             .meaning = "squared error of a frame from the one before, moved along RAFT's flow, "
                        "over the mean length of the flow",
             .better = svi::Better::lower,
             .per_frame = true,
             .per_film = true,
             .film_features = 1,
             .set_value = svi::SetValue::own}};
  }
  std::vector<svi::MetricFile> needs() const override {
    const std::string file = "raft_large_C_T_SKHT_V2-ff5fadd5.pth";
    return {
        {.name = "raft",
         .what = "RAFT, the large network, torchvision's C_T_SKHT_V2",
         .file = file,
         .sha256 = config_.file.empty() ? "ff5fadd5" : "",
         .source = "https://download.pytorch.org/models/" + file + " (BSD-3-Clause), about 21 MB",
         .given = config_.file,
         .option = "file"}};
  }
  void ready(const svi::MetricContext& context) override {
    const auto& file = context.file("raft");
    network_ = context.features.get<Raft>("raft large", file.sha256, [&] {
      return std::make_shared<Raft>(svi::vision::Weights::open(file.path, context.device));
    });
  }
  std::unique_ptr<svi::MetricSession> open() const override {
    return std::make_unique<MaweSession>(network_, config_);
  }
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const override {
    return shown.size(0) == 0 ? fidelity::kUndefined : shown.mean().item<double>();
  }

 private:
  Config config_;
  std::shared_ptr<Raft> network_;
};

}  // namespace

void fidelity::register_mawe(svi::Registrar& registrar) {
  registrar.add<svi::Metric, Mawe>("mawe", "motion-aware warp error of StreamingT2V (RAFT)");
}
