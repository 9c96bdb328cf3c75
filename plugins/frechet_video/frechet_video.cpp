// frechet_video: Frechet video distance (Unterthiner et al. 2018, arXiv 1812.01717) of films from
// their truth or from a folder of real videos.
#include <ATen/ATen.h>

#include <limits>
#include <svi/core/check.hpp>
#include <svi/core/log.hpp>
#include <svi/metric/frechet.hpp>
#include <svi/metric/metric.hpp>
#include <svi/plugin/plugin.hpp>

#include "fvd_real.hpp"

namespace fvd {

using svi::vision::I3d;

/// What sums of squares are divided by.
enum class Covariance { population, sample };
std::vector<std::string> enum_names(Covariance) { return {"population", "sample"}; }

}  // namespace fvd

namespace {

using namespace fvd;

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

/// Shows a film, and its truth as far as that is wanted, to I3D.
class FvdSession final : public svi::MetricSession {
 public:
  FvdSession(Windows film, Windows truth, bool wants_truth)
      : film_(std::move(film)), truth_(std::move(truth)), has_truth_(wants_truth) {}

  void add(const svi::ClipView& clip, svi::MetricSink&) override {
    has_truth_ = has_truth_ && clip.truth.defined();  // what comes behind a gap is no window
    for (std::int64_t t = 0; t < clip.frames.size(1); ++t) {
      film_.add(clip.frames.select(1, t));
      if (has_truth_) truth_.add(clip.truth.select(1, t));
    }
  }
  void finish(const svi::FilmView&, svi::MetricSink& sink) override {
    const auto shown = film_.rows(), truth = truth_.rows();
    if (shown.defined() || truth.defined()) sink.film_features(0, shown, truth);
  }

 private:
  Windows film_, truth_;
  bool has_truth_;
};

/// `fvd`: Frechet distance of a set of films in the logits of I3D.
class FrechetVideo final : public svi::Metric, public svi::JudgesMoments {
 public:
  struct Config {
    Sampling sampling;
    Covariance covariance = Covariance::population;
    std::string real, real_cache;
    Start real_start = Start::first;
    std::string file, sha256;

    void describe(svi::OptionVisitor& visit);
  };

  explicit FrechetVideo(Config config) : config_(std::move(config)) {}

  std::vector<svi::Quantity> quantities() const override {
    const bool real = !config_.real.empty();
    return {
        {.name = "fvd",
         .unit = "1",
         .meaning = svi::cat(
             "Frechet distance of all films from ", real ? "real videos" : "the truth",
             " in I3D's Kinetics-400 logits: ", config_.sampling.text(), ", covariance over ",
             config_.covariance == Covariance::population ? "N" : "N - 1", "; smallest_set is N"),
         .better = svi::Better::lower,
         .needs_truth = !real,
         .per_clip = false,
         .film_features = I3d::kClasses,
         .film_rows = config_.sampling.windows,
         .set_value = svi::SetValue::own}};
  }

  std::vector<svi::MetricFile> needs() const override {
    return {{.name = "i3d",
             .what = "I3D (RGB) trained on Kinetics-400, as a state_dict",
             .file = "i3d_pretrained_400.pt",
             .sha256 = config_.sha256,
             .source =
                 "the FVD repositories that convert DeepMind's kinetics-i3d to PyTorch (about "
                 "50 MB, Apache-2.0 upstream); their i3d_torchscript.pt has other names and "
                 "is refused",
             .given = config_.file,
             .option = "file"}};
  }

  void ready(const svi::MetricContext& context) override {
    const auto& file = context.file("i3d");
    device_ = context.device;
    network_ = context.features.get<I3d>("i3d kinetics-400 logits", file.sha256, [&] {
      return std::make_shared<I3d>(svi::vision::Weights::open(file.path, context.device));
    });
    if (config_.real.empty()) return;
    const auto real = real_videos();
    context.features.get<RealVideos>(  // once a run: every video is read through
        svi::cat("real videos ", real.videos, " in ", real.cache, ": ", real.text()), file.sha256,
        [&] {
          make_moments(real, file.sha256, network_, device_);
          return std::make_shared<RealVideos>(real);
        });
  }

  std::unique_ptr<svi::MetricSession> open() const override {
    const Windows windows(network_, device_, config_.sampling);
    return std::make_unique<FvdSession>(windows, windows, config_.real.empty());
  }

  double of_set(std::size_t quantity, const at::Tensor& shown,
                const at::Tensor& truth) const override {
    const auto moments = [](const at::Tensor& rows) {
      svi::RunningMoments running(I3d::kClasses);
      if (rows.defined()) running.add(rows);
      return running.moments();
    };
    return of_moments(quantity, moments(shown), moments(truth));
  }
  double of_moments(std::size_t, const svi::SetMoments& shown,
                    const svi::SetMoments& truth) const override {
    const auto real = config_.real.empty() ? truth : read_moments(real_videos());
    const auto fewest = std::min(shown.count, real.count);
    if (fewest < 2) return kUndefined;
    if (fewest <= I3d::kClasses) {
      SVI_WARN("fvd", "sets of ", shown.count, " and ", real.count, " windows for ", I3d::kClasses,
               " features: the distance is too large; compare only sets of equal sizes");
    }
    return svi::frechet_distance(shown, real,
                                 config_.covariance == Covariance::sample
                                     ? svi::CovarianceOver::count_less_one
                                     : svi::CovarianceOver::count);
  }

 private:
  RealVideos real_videos() const {
    return {config_.real, config_.real_cache, config_.file + config_.sha256, config_.real_start,
            config_.sampling};
  }

  Config config_;
  at::Device device_ = at::kCPU;
  std::shared_ptr<I3d> network_;
};

void FrechetVideo::Config::describe(svi::OptionVisitor& visit) {
  visit(sampling.frames, {.key = "frames",
                          .help = "length of a window: 16 in fvd2048_16f",
                          .unit = "frames",
                          .min = I3d::kFewest,
                          .max = 1024});
  visit(sampling.stride, {.key = "stride",
                          .help = "every so many frames of the film are shown to the network",
                          .unit = "frames",
                          .min = 1,
                          .max = 1024});
  visit(sampling.windows, {.key = "windows",
                           .help = "windows of each film at most, from its first frame on, one "
                                   "behind the other; the usual protocol has 1",
                           .min = 1,
                           .max = 4096});
  visit(sampling.preparation,
        {.key = "resize",
         .help = "cd_fvd: every frame to 224 x 224, whatever its shape; common_metrics: the short "
                 "side to 224, then the middle; both with two taps"});
  visit(covariance, {.key = "covariance",
                     .help = "population: over N, as StyleGAN-V and cd-fvd; sample: over N - 1, as "
                             "the TensorFlow original"});
  visit(real, {.key = "real",
               .help = "real videos to compare with, a folder or a pattern; empty: the truth of "
                       "the films"});
  visit(real_cache, {.key = "real_cache",
                     .help = "folder that keeps the features of real videos; empty: that of the "
                             "user's scores, ~/.cache/svi/scores"});
  visit(real_start, {.key = "real_start",
                     .help = "where windows of a real video begin: at its first frame, or at one "
                             "drawn by its name"});
  visit(file, {.key = "file",
               .help = "weights of I3D in the names of i3d_pretrained_400.pt; empty: that file in "
                       "the folder of [evaluation] weights"});
  visit(sha256, {.key = "sha256",
                 .help = "SHA-256 that the weights must have, or its first digits; empty: any"});
}

}  // namespace

SVI_PLUGIN("frechet_video", "0.1.0", registrar) {
  registrar.add<svi::Metric, FrechetVideo>(
      "fvd", "Frechet video distance of films from their truth or from real videos");
}
