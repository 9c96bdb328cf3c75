#include "pocket/critic_metric.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <filesystem>

#include "metric/frames_detail.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

class CriticSession final : public MetricSession {
  enum : std::size_t { kQuality, kFrechet };

 public:
  CriticSession(std::shared_ptr<const Critic> critic, std::int64_t frames)
      : critic_(std::move(critic)), frames_(frames) {}

  void add(const ClipView& clip, MetricSink& sink) override {
    const auto [C, T, H, W] = dims<4>(clip.frames, "frames [3, T, H, W]");
    const c10::NoGradGuard no_gradients;
    const auto seen = critic_->look(clip.frames.transpose(0, 1).contiguous());
    const auto psnr = seen.psnr.clamp(kCriticFloor, kCriticCeiling).to(at::kDouble);
    const std::vector<double> values(psnr.const_data_ptr<double>(),
                                     psnr.const_data_ptr<double>() + T);
    sink.clip(kQuality, detail::mean(values));
    sink.frames(kQuality, values);
    if (!clip.truth.defined()) return;
    const auto chosen = at::tensor(detail::spread(T, frames_));
    const auto truth = clip.truth.index_select(1, chosen).transpose(0, 1).contiguous();
    sink.features(kFrechet, seen.features.index_select(0, chosen), critic_->look(truth).features);
  }

 private:
  std::shared_ptr<const Critic> critic_;
  std::int64_t frames_;
};

MetricFile critic_file(const std::string& weights) {
  constexpr const char* kFile = "critic.safetensors";
  const bool shipped = weights == "pocket";
  return {.name = "critic",
          .what = "a trained critic",
          .file = kFile,
          .source = "svi-experiment plugins/pocket/pocket_critic.ini, which trains one in minutes",
          .given = shipped ? (weights_folder("pocket") / kFile).string() : weights,
          .option = "weights"};
}

std::int64_t features_of(const std::string& path) {
  return std::filesystem::is_regular_file(path) ? Critic::open(path).config().features
                                                : CriticConfig{}.features;
}

}  // namespace

void CriticMetric::Config::describe(OptionVisitor& visit) {
  visit(weights, {.key = "weights",
                  .help = "file of a trained critic; 'pocket' is the critic of the pocket world "
                          "that comes with svi"});
  visit(frames, {.key = "frames",
                 .help = "frames per clip whose features critic_frechet uses; scenes x frames "
                         "should be well above the number of features",
                 .unit = "frames",
                 .min = 1,
                 .max = 1000});
}

std::string CriticMetric::Config::problem() const {
  return weights.empty()
             ? "weights is empty: name a file, or 'pocket' for the one that comes with svi"
             : "";
}

CriticMetric::CriticMetric(Config config)
    : config_(std::move(config)), features_(features_of(critic_file(config_.weights).given)) {}

std::vector<Quantity> CriticMetric::quantities() const {
  return {{.name = "critic_quality",
           .unit = "dB",
           .meaning = "PSNR to its undamaged original that a critic, trained on procedural damage "
                      "to real frames, sees in each frame; mean over frames",
           .per_frame = true},
          {.name = "critic_frechet",
           .unit = "1",
           .meaning = "Frechet distance between the clip's frames of all scenes and the true ones, "
                      "in the critic's features",
           .better = Better::lower,
           .needs_truth = true,
           .features = features_,
           .feature_frames = config_.frames}};
}

std::vector<MetricFile> CriticMetric::needs() const { return {critic_file(config_.weights)}; }

void CriticMetric::ready(const MetricContext& context) {
  const auto& file = context.file("critic");
  critic_ = context.features.get<Critic>(
      "critic", file.sha256, [&] { return std::make_shared<Critic>(Critic::open(file.path)); });
}

std::unique_ptr<MetricSession> CriticMetric::open() const {
  return std::make_unique<CriticSession>(critic_, config_.frames);
}

}  // namespace svi
