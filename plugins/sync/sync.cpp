// sync: whether lips and sound of a film belong together, as SyncNet sees it: Sync-C and Sync-D,
// also known as LSE-C and LSE-D.
#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <deque>
#include <filesystem>
#include <limits>
#include <optional>
#include <svi/core/check.hpp>
#include <svi/core/log.hpp>
#include <svi/io/sound.hpp>
#include <svi/metric/metric.hpp>
#include <svi/plugin/plugin.hpp>

#include "found_faces.hpp"
#include "vision/preprocess.hpp"
#include "vision/sync/face_track.hpp"
#include "vision/sync/lag_distances.hpp"
#include "vision/sync/mfcc.hpp"
#include "vision/sync/syncnet.hpp"

namespace {

using svi::vision::Mfcc;
using svi::vision::SyncNet;

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kSamplesPerFrame = Mfcc::kRate / 25;
constexpr std::int64_t kColumnsPerFrame = 4;  // of MFCC
constexpr std::int64_t kFramesAtOnce = 12;    // eight windows: the same ones however clips are cut

/// What all films share.
struct SyncTools {
  std::shared_ptr<SyncNet> network;
  at::Device device = at::kCPU;
  Mfcc mfcc = {};
  bool whole_frames = true;
  std::map<std::string, svi::vision::FaceBoxes> boxes = {};  // by film, of a file of boxes
  std::shared_ptr<svi::vision::S3fd> detector = nullptr;     // which finds them otherwise
  FoundFaces rules = {};
};

/// A file's sound at 16 kHz, mono, int16 [N].
at::Tensor samples_of(const std::string& file) {
  const auto sound = svi::read_sound(file, {.rate = Mfcc::kRate, .channels = 1});
  return (sound.samples[0] * 32768.0).round().clamp(-32768, 32767).to(at::kShort);
}

/// One film: frames come in at any rate, are retimed to 25 per second, and become windows of five,
/// each compared with the sound around it.
class SyncSession final : public svi::MetricSession {
 public:
  explicit SyncSession(std::shared_ptr<const SyncTools> tools) : tools_(std::move(tools)) {}

  void add(const svi::ClipView& clip, svi::MetricSink&) override {
    if (clip.clip == 0) begin(clip);
    if (!measured_) return;
    const auto T = clip.frames.size(1);
    for (; svi::vision::source_frame(next_, clip.fps) < clip.first_frame + T; ++next_) {
      const auto t = svi::vision::source_frame(next_, clip.fps) - clip.first_frame;
      show(svi::vision::levels(clip.frames.select(1, t)));
    }
  }

  void finish(const svi::FilmView&, svi::MetricSink& sink) override {
    if (!measured_) return;
    look();
    const auto distances = lags_.finish();
    if (distances.empty()) return;  // fewer than six frames of picture or sound
    const auto scores = svi::vision::scores_of(distances);
    const std::array<double, 3> values = {scores.confidence, scores.distance, scores.offset};
    for (std::size_t q = 0; q < values.size(); ++q) {
      sink.film(q, values[q]);
      sink.film_features(q, at::full({1, 1}, values[q], at::kDouble), {});
    }
  }

 private:
  /// Finds sound and face of the film; without one of them nothing is measured.
  void begin(const svi::ClipView& clip) {
    if (clip.file.empty() || clip.fps <= 0) return;
    const std::string file(clip.file);
    if (!tools_->whole_frames) {
      const auto name = std::filesystem::path(file).stem().string();
      if (tools_->detector) {
        track_ =
            svi::vision::track_of(found_faces(clip, *tools_->detector, tools_->rules), clip.fps);
      } else if (const auto boxes = tools_->boxes.find(name); boxes != tools_->boxes.end()) {
        track_ = svi::vision::track_of(boxes->second, clip.fps);
      }
      if (!track_) {
        SVI_WARN("sync", file, ": [metric.sync] faces has no 13 frames with a face of ", name);
        return;
      }
    }
    try {
      samples_ = samples_of(file);
    } catch (const svi::IoError& error) {
      SVI_WARN("sync", "no sound to compare with: ", error.what());
      return;
    }
    if (track_)
      samples_ = samples_.slice(0, std::min(track_->first * kSamplesPerFrame, samples_.size(0)));
    measured_ = true;
  }

  /// Frame `next_` of 25 per second, levels [3, H, W].
  void show(const at::Tensor& levels) {
    if (!track_) {
      held_.push_back(svi::vision::whole_frame(levels).flip(0));  // BGR
    } else {
      const auto i = next_ - track_->first;
      if (i < 0 || i >= static_cast<std::int64_t>(track_->places.size())) return;
      held_.push_back(
          svi::vision::face_crop(levels, track_->places[static_cast<std::size_t>(i)]).flip(0));
    }
    ++frames_;
    if (static_cast<std::int64_t>(held_.size()) == kFramesAtOnce) look();
  }

  /// Vectors of all windows of the frames held, as far as there is sound.
  void look() {
    const auto first = frames_ - static_cast<std::int64_t>(held_.size());  // window
    const auto seen = static_cast<std::int64_t>(held_.size()) - SyncNet::kFrames + 1;
    const auto count = std::min(seen, windows_of_sound() - first);
    if (count > 0) {
      const auto pictures = at::stack(held_, 1).narrow(1, 0, count + SyncNet::kFrames - 1);
      const auto v = tools_->network->seen(pictures.to(tools_->device)).cpu();
      const auto a = heard(first, count);
      for (std::int64_t i = 0; i < count; ++i) pairs_.emplace_back(v[i], a[i]);
    }
    if (seen > 0) held_.erase(held_.begin(), held_.begin() + seen);
    // The published count leaves out the last window of the pictures.
    for (; !pairs_.empty() && compared_ < frames_ - SyncNet::kFrames; ++compared_) {
      lags_.add(pairs_.front().first, pairs_.front().second);
      pairs_.pop_front();
    }
  }

  /// As published, one fewer than there are.
  std::int64_t windows_of_sound() const {
    return samples_.size(0) / kSamplesPerFrame - SyncNet::kFrames;
  }

  /// Vectors [count, 1024] of the sound of windows first, first + 1, ...
  at::Tensor heard(std::int64_t first, std::int64_t count) const {
    const auto columns = (count - 1) * kColumnsPerFrame + SyncNet::kColumns;
    const auto mfcc = tools_->mfcc(samples_, first * kColumnsPerFrame, columns);  // [columns, 13]
    const auto windows =
        mfcc.to(at::kFloat).unfold(0, SyncNet::kColumns, kColumnsPerFrame).contiguous();
    return tools_->network->heard(windows.to(tools_->device)).cpu();  // of [count, 13, 20]
  }

  std::shared_ptr<const SyncTools> tools_;
  bool measured_ = false;
  std::optional<svi::vision::FaceTrack> track_;          // none: whole frames
  at::Tensor samples_;                                   // int16, from the track's first frame on
  std::int64_t next_ = 0;                                // frame of 25 per second
  std::int64_t frames_ = 0;                              // of the track so far
  std::vector<at::Tensor> held_;                         // the last of them, [3, 224, 224] each
  std::deque<std::pair<at::Tensor, at::Tensor>> pairs_;  // not yet compared
  std::int64_t compared_ = 0;
  svi::vision::LagDistances lags_;
};

/// `sync_confidence`, `sync_distance` and `sync_offset`.
class Sync final : public svi::Metric {
 public:
  struct Config {
    std::string faces = "frame";
    std::string file, sha256, detector;
    FoundFaces found;

    void describe(svi::OptionVisitor& visit) {
      visit(faces, {.key = "faces",
                    .help = "frame: every frame is a cropped face; find: S3FD finds the face that "
                            "is longest in the film; else a CSV file of boxes with the columns "
                            "film, frame, left, top, right, bottom"});
      visit(file, {.key = "file",
                   .help = "weights of SyncNet in the names of syncnet_v2.model; empty: that file "
                           "in the folder of [evaluation] weights"});
      visit(sha256,
            {.key = "sha256",
             .help = "SHA-256 that the weights must have, or its first digits; empty: any"});
      visit(detector, {.key = "detector",
                       .help = "faces = find: weights of S3FD in the names of sfd_face.pth; empty: "
                               "that file in the folder of [evaluation] weights"});
      found.describe(visit);
    }
  };

  explicit Sync(Config config) : config_(std::move(config)) {}

  std::vector<svi::Quantity> quantities() const override {
    const auto quantity = [](const char* name, const char* unit, const char* meaning,
                             svi::Better better) {
      return svi::Quantity{.name = name,
                           .unit = unit,
                           .meaning = meaning,
                           .better = better,
                           .per_clip = false,
                           .per_film = true,
                           .film_features = 1,
                           .set_value = svi::SetValue::own};
    };
    return {quantity("sync_confidence", "1",
                     "Sync-C: median less minimum over shifts of SyncNet's mean distance of lips "
                     "and sound; of a set, the mean over films",
                     svi::Better::higher),
            quantity("sync_distance", "1",
                     "Sync-D: minimum over shifts of SyncNet's mean distance of lips and sound; of "
                     "a set, the mean over films",
                     svi::Better::lower),
            quantity("sync_offset", "frames",
                     "shift of the sound, in frames of 25 per second, at which lips and sound are "
                     "nearest, 0 is best; of a set, the mean over films",
                     svi::Better::lower)};
  }

  std::vector<svi::MetricFile> needs() const override {
    std::vector<svi::MetricFile> files = {
        {.name = "syncnet",
         .what = "SyncNet, the second version",
         .file = "syncnet_v2.model",
         .sha256 = config_.sha256,
         .source = "https://www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model "
                   "(about 52 MB; the repository joonson/syncnet_python is MIT)",
         .given = config_.file,
         .option = "file"}};
    if (finds_faces()) {
      files.push_back({.name = "s3fd",
                       .what = "S3FD, a detector of faces",
                       .file = "sfd_face.pth",
                       .source =
                           "https://www.robots.ox.ac.uk/~vgg/software/lipsync/data/sfd_face.pth "
                           "(about 86 MB; the repository joonson/syncnet_python is MIT)",
                       .given = config_.detector,
                       .option = "detector"});
    } else if (!whole_frames()) {
      // A file like the others: scores that are kept depend on its content.
      files.push_back({.name = "faces",
                       .what = "boxes of faces: film, frame, left, top, right, bottom",
                       .file = std::filesystem::path(config_.faces).filename().string(),
                       .source = "a detector of faces",
                       .given = config_.faces,
                       .option = "faces"});
    }
    return files;
  }

  void ready(const svi::MetricContext& context) override {
    const auto& file = context.file("syncnet");
    auto tools = std::make_shared<SyncTools>();
    tools->device = context.device;
    tools->whole_frames = whole_frames();
    tools->rules = config_.found;
    if (finds_faces()) {
      const auto& weights = context.file("s3fd");
      tools->detector = context.features.get<svi::vision::S3fd>("s3fd", weights.sha256, [&] {
        return std::make_shared<svi::vision::S3fd>(
            svi::vision::Weights::open(weights.path, context.device));
      });
    } else if (!whole_frames()) {
      tools->boxes = svi::vision::read_boxes(context.file("faces").path);
    }
    tools->network = context.features.get<SyncNet>("syncnet", file.sha256, [&] {
      return std::make_shared<SyncNet>(svi::vision::Weights::open(file.path, context.device));
    });
    tools_ = std::move(tools);
  }

  std::unique_ptr<svi::MetricSession> open() const override {
    return std::make_unique<SyncSession>(tools_);
  }

  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const override {
    return shown.size(0) == 0 ? kUndefined : shown.mean(at::kDouble).item<double>();
  }

 private:
  bool whole_frames() const { return config_.faces == "frame"; }
  bool finds_faces() const { return config_.faces == "find"; }

  Config config_;
  std::shared_ptr<const SyncTools> tools_;
};

}  // namespace

SVI_PLUGIN("sync", "0.1.0", registrar) {
  registrar.add<svi::Metric, Sync>(
      "sync", "how well lips and sound of a film belong together, by SyncNet: Sync-C and Sync-D");
}
