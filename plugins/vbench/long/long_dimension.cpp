#include "vbench/long/long_dimension.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "vision/preprocess.hpp"

namespace svi::vbench {
namespace {

constexpr std::int64_t kShownAtOnce = 16;  // frames of a clip; bounds memory

/// Takes one number of the whole film from a short metric and forgets the rest.
class FilmNumberSink final : public MetricSink {
 public:
  explicit FilmNumberSink(std::size_t index) : index_(index) {}
  double value() const { return value_; }

 private:
  void clip(std::size_t, double) override {}
  void frames(std::size_t, const std::vector<double>&) override {}
  void features(std::size_t, const at::Tensor&, const at::Tensor&) override {}
  void film(std::size_t quantity, double value) override {
    if (quantity == index_) value_ = value;
  }
  void film_features(std::size_t, const at::Tensor&, const at::Tensor&) override {}

  std::size_t index_;
  double value_ = kUndefined;
};

/// What is kept of a frame: its levels in 8 bits, a quarter of what metrics see.
struct LongFrame {
  at::Tensor levels;   // uint8 [3, H, W]
  std::string prompt;  // of the film's clip that it is in
};

class LongDimensionSession final : public MetricSession {
 public:
  LongDimensionSession(std::function<std::unique_ptr<MetricSession>()> open_short,
                       std::size_t index, const LongCutOptions& options)
      : open_short_(std::move(open_short)), index_(index), options_(options) {}

  void add(const ClipView& clip, MetricSink&) override {
    if (!cuts_) {
      fps_ = clip.fps;
      const auto length = static_cast<std::int64_t>(std::floor(clip.fps)) * options_.seconds;
      if (length < 2) return;  // the speed is not known: no clips, no number
      cuts_.emplace(
          length, options_, [this](const auto& frames) { show(frames); }, [] {});
    }
    const auto levels = vision::levels(clip.frames);  // [3, T, H, W]
    for (std::int64_t t = 0; t < levels.size(1); ++t) {
      const auto frame = levels.select(1, t);
      cuts_->push({frame.to(at::kByte), clip.prompt}, frame);
    }
  }

  void finish(const FilmView&, MetricSink& sink) override {
    if (!cuts_) return;
    cuts_->finish();
    if (clips_.count == 0) return;
    sink.film(0, clips_.value());
    sink.film_features(0, clips_.row(), {});
  }

 private:
  /// Shows a clip as a film of its own.
  void show(const std::deque<LongFrame>& frames) {
    const auto count = static_cast<std::int64_t>(frames.size());
    const auto& first = frames.front().prompt;
    const bool alike = std::all_of(frames.begin(), frames.end(),
                                   [&](const LongFrame& frame) { return frame.prompt == first; });
    const auto prompt = alike ? first : std::string();  // no one text describes the clip
    const auto session = open_short_();
    FilmNumberSink sink(index_);
    const at::Tensor no_truth;
    std::int64_t part = 0;
    for (std::int64_t begin = 0; begin < count; begin += kShownAtOnce, ++part) {
      std::vector<at::Tensor> some;
      for (auto t = begin; t < std::min(count, begin + kShownAtOnce); ++t)
        some.push_back(frames[static_cast<std::size_t>(t)].levels);
      const auto shown = at::stack(some, 1).to(at::kFloat) / 255;
      session->add({part, begin, shown, no_truth, prompt, fps_, {}, count}, sink);
    }
    session->finish({part, count, fps_, {}}, sink);
    clips_.add(sink.value());
  }

  std::function<std::unique_ptr<MetricSession>()> open_short_;
  std::size_t index_;
  LongCutOptions options_;
  double fps_ = 0;
  std::optional<LongCuts<LongFrame>> cuts_;
  Mean clips_;
};

}  // namespace

std::vector<std::string> enum_names(LongSet) { return {"clips", "films"}; }

void LongOptions::describe(OptionVisitor& visit) {
  LongCutOptions::describe(visit);
  visit(set, {.key = "set",
              .help = "what counts once in the number of a set: clips, as "
                      "upstream's code has "
                      "it, or films"});
}

std::unique_ptr<MetricSession> long_session(
    std::function<std::unique_ptr<MetricSession>()> open_short, std::size_t index,
    const LongCutOptions& options) {
  return std::make_unique<LongDimensionSession>(std::move(open_short), index, options);
}

Quantity long_quantity(const Quantity& brief) {
  return {
      .name = "long_" + brief.name,
      .unit = brief.unit,
      .meaning = "mean over the clips of a long film, each as a film of its own: " + brief.meaning,
      .better = brief.better,
      .per_clip = false,
      .per_film = true,
      .film_features = 2,
      .set_value = SetValue::own};
}

}  // namespace svi::vbench
