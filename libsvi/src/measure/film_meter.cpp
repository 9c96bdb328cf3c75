#include "svi/measure/film_meter.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

/// Puts one film's numbers where they belong: of one clip, or of the whole film.
class ScoreSink final : public MetricSink {
 public:
  ScoreSink(FilmScores& scores, std::size_t offset, std::int64_t film, const ClipView* view)
      : scores_(scores), offset_(offset), film_(film), view_(view) {}

 private:
  const Quantity& about(std::size_t quantity) const {
    return scores_.quantities.at(offset_ + quantity);
  }
  /// Where numbers of a quantity go, if it has such.
  at::Tensor& target(std::vector<at::Tensor>& kind, std::size_t quantity, const char* lacks) {
    auto& tensor = kind.at(offset_ + quantity);
    SVI_CHECK(tensor.defined(), "quantity ", about(quantity).name, " has no ", lacks);
    return tensor;
  }
  const ClipView& view() const {
    SVI_CHECK(view_ != nullptr, "the film has ended: no clip is shown");
    return *view_;
  }

  void clip(std::size_t quantity, double value) override {
    target(scores_.clip, quantity, "number per clip")
        .index_put_({at::tensor(film_), at::tensor(view().clip)}, value);
  }
  void frames(std::size_t quantity, const std::vector<double>& values) override {
    auto& numbers = target(scores_.frame, quantity, "number per frame");
    const auto count = static_cast<std::int64_t>(values.size());
    SVI_CHECK(count == view().frames.size(1), count, " values for ", view().frames.size(1),
              " frames");
    numbers[film_].narrow(0, view().first_frame, count).copy_(at::tensor(values, at::kDouble));
  }
  void features(std::size_t quantity, const at::Tensor& shown, const at::Tensor& truth) override {
    const auto put = [&](std::vector<at::Tensor>& kind, const at::Tensor& rows) {
      put_rows(target(kind, quantity, "features")[film_][view().clip], rows, about(quantity));
    };
    put(scores_.features, shown);
    put(scores_.true_features, truth);
  }
  void film(std::size_t quantity, double value) override {
    SVI_CHECK(view_ == nullptr, "numbers of a film are given in finish()");
    target(scores_.film, quantity, "number per film").index_put_({at::tensor(film_)}, value);
  }
  void film_features(std::size_t quantity, const at::Tensor& shown,
                     const at::Tensor& truth) override {
    SVI_CHECK(view_ == nullptr, "features of a film are given in finish()");
    const auto put = [&](std::vector<at::Tensor>& kind, const at::Tensor& rows) {
      auto& room = target(kind, quantity, "features of films");
      if (rows.defined()) put_rows(room[film_], rows, about(quantity));
    };
    put(scores_.film_features, shown);
    put(scores_.true_film_features, truth);
  }

  static void put_rows(const at::Tensor& room, const at::Tensor& rows, const Quantity& about) {
    const auto [K, D] = dims<2>(rows, "features [K, D]");
    SVI_CHECK(K <= room.size(0) && D == room.size(1), about.name, ": features ", rows.sizes(),
              " instead of up to ", room.size(0), " x ", room.size(1));
    room.narrow(0, 0, K).copy_(rows);
  }

  FilmScores& scores_;
  std::size_t offset_;
  std::int64_t film_;
  const ClipView* view_;  // nullptr when the film is over
};

}  // namespace

FilmSource::~FilmSource() = default;

struct FilmMeter::Impl {
  std::int64_t films, clips, frames;
  FilmScores scores = {};
  std::vector<std::size_t> offsets = {};  // of each metric's quantities
  std::vector<std::vector<std::unique_ptr<MetricSession>>> sessions = {};  // [metric][film]
  std::vector<FilmView> shown = {};                                        // so far
};

FilmMeter::FilmMeter(const std::vector<std::unique_ptr<Metric>>& metrics, std::int64_t films,
                     std::int64_t clips, std::int64_t frames)
    : impl_(std::make_unique<Impl>(Impl{films, clips, frames})) {
  impl_->shown.resize(static_cast<std::size_t>(films));
  std::vector<Quantity> quantities;
  for (const auto& metric : metrics) {
    impl_->offsets.push_back(quantities.size());
    for (auto& quantity : metric->quantities()) quantities.push_back(std::move(quantity));
    auto& sessions = impl_->sessions.emplace_back();
    for (std::int64_t i = 0; i < films; ++i) sessions.push_back(metric->open());
  }
  impl_->scores = unmeasured_scores(quantities, films, clips, frames);
}

FilmMeter::~FilmMeter() = default;

void FilmMeter::add(std::int64_t film, const ClipView& clip) {
  const auto [C, T, H, W] = dims<4>(clip.frames, "frames [3, T, H, W]");
  SVI_CHECK(clip.clip < impl_->clips && clip.first_frame + T <= impl_->frames, "clip ", clip.clip,
            " of frames ", clip.first_frame, " to ", clip.first_frame + T, " in a film of ",
            impl_->clips, " clips and ", impl_->frames, " frames");
  auto& shown = impl_->shown.at(static_cast<std::size_t>(film));
  shown.clips = clip.clip + 1;
  shown.frames = clip.first_frame + T;
  shown.fps = clip.fps;
  shown.file = clip.file;
  for (std::size_t m = 0; m < impl_->sessions.size(); ++m) {
    ScoreSink sink(impl_->scores, impl_->offsets[m], film, &clip);
    impl_->sessions[m][static_cast<std::size_t>(film)]->add(clip, sink);
  }
}

FilmScores FilmMeter::finish() {
  for (std::size_t m = 0; m < impl_->sessions.size(); ++m) {
    for (std::int64_t film = 0; film < impl_->films; ++film) {
      const auto index = static_cast<std::size_t>(film);
      ScoreSink sink(impl_->scores, impl_->offsets[m], film, nullptr);
      impl_->sessions[m][index]->finish(impl_->shown[index], sink);
    }
  }
  return std::move(impl_->scores);
}

FilmScores measure_films(FilmSource& source, const std::vector<std::unique_ptr<Metric>>& metrics,
                         std::int64_t clips, std::int64_t frames) {
  FilmMeter meter(metrics, source.films(), clips, frames);
  source.run([&](std::int64_t film, const ClipView& clip) { meter.add(film, clip); });
  return meter.finish();
}

}  // namespace svi
