#include "svi/evaluate/evaluation.hpp"

#include <ATen/ATen.h>

#include <limits>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

/// Puts one scene's numbers for one clip where they belong.
class ScoreSink final : public MetricSink {
 public:
  ScoreSink(FilmScores& scores, std::size_t offset, std::int64_t scene, const RolledClip& clip)
      : scores_(scores), offset_(offset), scene_(scene), clip_(clip) {}

 private:
  void clip(std::size_t quantity, double value) override {
    auto& target = scores_.clip.at(offset_ + quantity);
    SVI_CHECK(target.defined(), "quantity ", scores_.quantities.at(offset_ + quantity).name,
              " has features, no number per clip");
    target.index_put_({at::tensor(scene_), at::tensor(clip_.clip)}, value);
  }
  void frames(std::size_t quantity, const std::vector<double>& values) override {
    auto& target = scores_.frame.at(offset_ + quantity);
    const auto count = static_cast<std::int64_t>(values.size());
    SVI_CHECK(target.defined(), "quantity ", scores_.quantities.at(offset_ + quantity).name,
              " is not per frame");
    SVI_CHECK(count == clip_.frames.size(2), count, " values for ", clip_.frames.size(2),
              " frames");
    target[scene_].narrow(0, clip_.first_frame, count).copy_(at::tensor(values, at::kDouble));
  }

  void features(std::size_t quantity, const at::Tensor& shown, const at::Tensor& truth) override {
    const auto index = offset_ + quantity;
    const auto& about = scores_.quantities.at(index);
    SVI_CHECK(about.features > 0, "quantity ", about.name, " has no features");
    const auto put = [&](at::Tensor& target, const at::Tensor& rows) {
      const auto [K, D] = dims<2>(rows, "features [K, D]");
      SVI_CHECK(K <= about.feature_frames && D == about.features, about.name, ": features ",
                rows.sizes(), " instead of up to ", about.feature_frames, " x ", about.features);
      target[scene_][clip_.clip].narrow(0, 0, K).copy_(rows);
    };
    put(scores_.features.at(index), shown);
    put(scores_.true_features.at(index), truth);
  }

  FilmScores& scores_;
  std::size_t offset_;
  std::int64_t scene_;
  const RolledClip& clip_;
};

at::Tensor to_unit(const at::Tensor& frames) { return (frames + 1) * 0.5; }  // [-1, 1] to [0, 1]

}  // namespace

Evaluation::Evaluation(const Rollout& rollout, const ClipSource& source,
                       const std::vector<std::unique_ptr<Metric>>& metrics, ClipShape shape,
                       std::int64_t clips, std::int64_t frames_of_film)
    : rollout_(rollout),
      source_(source),
      metrics_(metrics),
      shape_(shape),
      clips_(clips),
      frames_(frames_of_film) {}

FilmScores Evaluation::run(const std::vector<Scene>& scenes,
                           const std::function<void(const RolledClip&)>& on_clip) const {
  const auto count = static_cast<std::int64_t>(scenes.size());
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  FilmScores scores;
  std::vector<std::vector<std::unique_ptr<MetricSession>>> sessions(
      metrics_.size());  // [metric][scene]
  std::vector<std::size_t> offsets;
  for (std::size_t m = 0; m < metrics_.size(); ++m) {
    offsets.push_back(scores.quantities.size());
    for (auto& quantity : metrics_[m]->quantities()) {
      const bool set = quantity.features > 0;
      const auto features = [&] {
        return set ? at::full({count, clips_, quantity.feature_frames, quantity.features}, nan,
                              at::kFloat)
                   : at::Tensor();
      };
      scores.features.push_back(features());
      scores.true_features.push_back(features());
      scores.clip.push_back(set ? at::Tensor() : at::full({count, clips_}, nan, at::kDouble));
      scores.frame.push_back(quantity.per_frame ? at::full({count, frames_}, nan, at::kDouble)
                                                : at::Tensor());
      scores.quantities.push_back(std::move(quantity));
    }
    for (std::int64_t s = 0; s < count; ++s) sessions[m].push_back(metrics_[m]->open());
  }

  rollout_.run(scenes, [&](const RolledClip& rolled) {
    for (std::int64_t s = 0; s < count; ++s) {
      const auto frames = to_unit(rolled.frames[s]).cpu();  // [3, T', H, W]
      at::Tensor truth;
      if (auto known = source_.truth(scenes[static_cast<std::size_t>(s)].index, rolled.first_frame,
                                     frames.size(1), shape_)) {
        truth = to_unit(*known);
      }
      const ClipView view{rolled.clip, rolled.first_frame, frames, truth,
                          rolled.prompts[static_cast<std::size_t>(s)]};
      for (std::size_t m = 0; m < metrics_.size(); ++m) {
        ScoreSink sink(scores, offsets[m], s, rolled);
        sessions[m][static_cast<std::size_t>(s)]->add(view, sink);
      }
    }
    if (on_clip) on_clip(rolled);
  });
  return scores;
}

}  // namespace svi
