#include "svi/generate/film_maker.hpp"

#include <ATen/ATen.h>

#include <chrono>
#include <cmath>

#include "svi/core/check.hpp"
#include "svi/io/video_join.hpp"
#include "svi/io/video_writer.hpp"
#include "svi/method/assembler.hpp"
#include "svi/tensor/levels.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using Phase = FilmProgress::Phase;

/// [1, 3, T, H, W] in [-1, 1] -> uint8 [T, 3, H, W]; rounded, where the reference truncates and so
/// darkens by half a level.
at::Tensor to_bytes(const at::Tensor& frames) {
  return levels_of_frames(frames[0]).to(at::kCPU).transpose(0, 1).contiguous();
}

at::Tensor from_bytes(const at::Tensor& frames) {  // the other way
  return (frames.to(at::kFloat) / 127.5 - 1).transpose(0, 1).unsqueeze(0).contiguous();
}

VideoWriterOptions video_options(const FilmConfig& config) {
  VideoWriterOptions options;
  options.fps_numerator = std::llround(config.fps * 1000);
  options.fps_denominator = 1000;
  options.crf = config.crf;
  options.upscale = config.upscale;
  return options;
}

/// Leaves a clip in the middle.
struct Stopped {};

/// A film's files: latents and frames of its pieces, and the video that they are joined to.
class FolderKeeper final : public FilmKeeper {
 public:
  FolderKeeper(const FilmFolder& folder, const Storyboard& storyboard, VideoWriterOptions options,
               std::int64_t clips)
      : folder_(folder), storyboard_(storyboard), options_(options), clips_(clips) {}

  /// After a piece is done; may join what there is.
  std::function<void()> on_done;

  bool has(std::int64_t number) const override { return folder_.has_latent(number); }
  at::Tensor latent(const Piece& piece) const override {
    return folder_.latent(piece.number, storyboard_.clip(piece.place));
  }
  void put(const Piece& piece, const at::Tensor& latent) override {
    folder_.put_latent(piece.number, storyboard_.clip(piece.place), latent);
  }
  std::optional<std::pair<std::int64_t, NamedTensors>> state() const override {
    return folder_.state();
  }
  void put_state(std::int64_t pieces, const NamedTensors& state) override {
    folder_.put_state(pieces, state);
  }
  bool wants(const Piece& piece) const override {
    return piece.place + 1 == clips_ || !fs::exists(path(piece));
  }

  void frames(const Piece& piece, std::int64_t first, const at::Tensor& frames) override {
    if (first == 0) {
      ending_.clear();
      writer_.reset();
      decoded_ = piece.place;
      if (!fs::exists(path(piece))) writer_.emplace(path(piece).string(), options_);
    }
    const auto part = [&](std::int64_t begin, std::int64_t end) {  // of those from begin to end
      const auto from = std::clamp<std::int64_t>(begin - first, 0, frames.size(2));
      const auto to = std::clamp<std::int64_t>(end - first, 0, frames.size(2));
      return to > from ? to_bytes(frames.narrow(2, from, to - from)) : at::Tensor();
    };
    const auto shown = piece.skipped + piece.frames;
    const auto body = part(piece.skipped, shown);
    if (writer_ && body.defined()) writer_->write(body);
    const auto end = part(shown, shown + piece.ending);
    if (end.defined()) ending_.push_back(end);
  }

  void done(const Piece& piece, const at::Tensor&) override {
    if (writer_) writer_->close();
    writer_.reset();
    segments_.push_back(path(piece).string());
    can_end_ = decoded_ == piece.place;
    if (!can_end_) ending_.clear();
    if (on_done) on_done();
  }

  /// Clips so far.
  std::int64_t clips() const { return static_cast<std::int64_t>(segments_.size()); }
  /// Whether the film can end here: the frames of its end are known.
  bool can_end() const { return can_end_; }

  /// Makes the video of what is there.
  void join(bool before, const std::optional<Sound>& sound) const {
    std::vector<std::string> parts;
    if (before) parts.push_back(folder_.prefix().string());
    parts.insert(parts.end(), segments_.begin(), segments_.end());
    if (!ending_.empty()) {
      write_video(folder_.tail().string(), at::cat(ending_), options_);
      parts.push_back(folder_.tail().string());
    }
    join_videos(
        parts, folder_.video().string(),
        [&](const fs::path& file) { folder_.record(file, clips()); }, sound);
  }

 private:
  fs::path path(const Piece& piece) const {
    return folder_.segment(piece.number, piece.skipped, piece.frames);
  }

  const FilmFolder& folder_;
  const Storyboard& storyboard_;
  VideoWriterOptions options_;
  std::int64_t clips_;
  std::optional<VideoWriter> writer_;
  std::vector<at::Tensor> ending_;  // uint8 [t, 3, H, W]: of the last piece, frames that the film
                                    // shows only where it ends there
  std::int64_t decoded_ = -1;       // place of the piece whose frames came last
  bool can_end_ = false;
  std::vector<std::string> segments_;  // in the order of the film
};

}  // namespace

FilmMaker::FilmMaker(Parts parts, FilmConfig config, FilmFolder folder)
    : parts_(std::move(parts)), config_(config), folder_(std::move(folder)) {}

std::int64_t FilmMaker::run(const FilmStart& start, std::int64_t clips,
                            const std::function<void(const FilmProgress&)>& progress,
                            const std::function<bool()>& stop) const {
  folder_.remove_damaged(clips);
  const auto options = video_options(config_);
  const bool continued = start.before.defined();
  const FilmRequest request{start.image.unsqueeze(0),
                            continued ? from_bytes(start.before) : at::Tensor(), clips,
                            parts_.script};
  const auto film = parts_.studio.method.begin(parts_.studio, request);
  if (continued && !fs::exists(folder_.prefix())) {
    const auto shown = parts_.studio.method.shown_before(start.before.size(0));
    write_video(folder_.prefix().string(), start.before.narrow(0, 0, shown), options);
  }
  const auto tell = [&](Phase phase, std::int64_t clip, std::int64_t done, std::int64_t all) {
    if (progress) progress({phase, clip, clips, done, all});
    if (stop && stop()) throw Stopped();
  };
  FolderKeeper keeper(folder_, parts_.storyboard, options, clips);
  const auto join = [&] {
    if (progress) progress({Phase::joining, keeper.clips() - 1, clips, 0, 1});
    keeper.join(continued, start.sound);
  };
  // An earlier film, or more of this one than there is now, stays until this one is whole.
  const auto recorded = folder_.recorded_clips();
  const auto least = recorded > 0 ? recorded : fs::exists(folder_.video()) ? clips : 1;
  // Joining copies the whole film so far, so it is done as often as that stays a small share.
  std::int64_t joined = 0;
  double next_join = 0;
  const auto now = [begin = std::chrono::steady_clock::now()] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  keeper.on_done = [&] {
    const auto done = keeper.clips();
    if (done == clips || done < least || !keeper.can_end() || now() < next_join) return;
    const auto before = now();
    join();
    joined = done;
    next_join = now() + 20 * (now() - before) + 5;
  };
  const auto decoding = config_.tile ? Decoding::tiled : Decoding::streamed;
  try {
    Assembler(*film, parts_.studio.vae, keeper, decoding)
        .run({[&](const Piece& piece, std::int64_t done, std::int64_t steps) {
                tell(Phase::sampling, piece.number, done, steps);
              },
              [&](const Piece& piece, std::int64_t done, std::int64_t frames) {
                tell(Phase::decoding, piece.number, done, frames);
              }});
  } catch (const Stopped&) {
    return joined;
  }
  join();
  return clips;
}

}  // namespace svi
