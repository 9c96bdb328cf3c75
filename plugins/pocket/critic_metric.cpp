#include "pocket/critic_metric.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <filesystem>

#include "metric/frames_detail.hpp"
#include "svi/core/check.hpp"
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

}  // namespace

std::string critic_weights(const std::string& weights) {
  const auto path =
      weights == "pocket" ? (weights_folder("pocket") / "critic.safetensors").string() : weights;
  if (!std::filesystem::is_regular_file(path)) {
    raise<IoError>("[metric.critic] weights = ", weights, ": there is no file ", path,
                   "; train a critic with experiments/pocket_critic.ini, or leave the section out");
  }
  return path;
}

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

CriticMetric::CriticMetric(Config config)
    : config_(std::move(config)),
      critic_(std::make_shared<const Critic>(Critic::open(critic_weights(config_.weights)))) {}

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
           .features = critic_->config().features,
           .feature_frames = config_.frames}};
}

std::vector<std::string> CriticMetric::weights() const { return {critic_weights(config_.weights)}; }

std::unique_ptr<MetricSession> CriticMetric::open() const {
  return std::make_unique<CriticSession>(critic_, config_.frames);
}

}  // namespace svi
