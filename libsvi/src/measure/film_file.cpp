#include "svi/measure/film_file.hpp"

#include <ATen/ATen.h>

#include <future>

#include "svi/core/check.hpp"

namespace svi {
namespace {

VideoReaderOptions reader_options(const FilmFileOptions& options) {
  VideoReaderOptions reading;
  reading.fps = options.fps;
  reading.exact_c_path = options.colors == FilmColors::exact;
  reading.matrix = options.matrix;
  return reading;
}

/// The number of frames that a reader gives, without keeping one.
std::int64_t counted_frames(const std::string& path, const FilmFileOptions& options) {
  VideoReader reader(path, reader_options(options));
  while (reader.next()) continue;
  return reader.position();
}

std::vector<FilmClip> equal_clips(std::int64_t frames, std::int64_t length) {
  std::vector<FilmClip> clips;
  for (std::int64_t first = 0; first < frames; first += length)
    clips.push_back({first, std::min(length, frames - first), ""});
  return clips;
}

/// What header and record of a video say.
struct FilmLook {
  FilmVideo video = {};
  VideoInfo info = {};
  std::vector<FilmClip> clips = {};  // of the record
};

FilmLook look_at(const std::string& path, const FilmFileOptions& options) {
  FilmLook look;
  look.info = VideoReader(path, reader_options(options)).info();
  look.video.path = path;
  look.video.height = look.info.height;
  look.video.width = look.info.width;
  const auto record = read_film_record(path);
  if (!record) return look;
  const auto k = record->enlargement;
  const auto fits = [&](std::int64_t film, std::int64_t video) {
    return video == film * k || (film * k % 2 == 1 && video == film * k + 1);
  };
  if (!fits(record->height, look.info.height) || !fits(record->width, look.info.width)) {
    raise<IoError>(path, ": has ", look.info.width, "x", look.info.height,
                   " pixels, but its record ", record_path(path).string(), " is of a film of ",
                   record->width, "x", record->height, ", enlarged ", k,
                   " times; remove the record to measure the video without it");
  }
  look.video = {path, record->height, record->width, k};
  look.clips = record->clips;
  return look;
}

/// One video of a film, clip by clip.
class ClipReader {
 public:
  ClipReader(const FilmVideo& video, const FilmFileOptions& options)
      : video_(video), reader_(video.path, reader_options(options)) {}

  /// The next frames, uint8 [T, 3, H, W], T <= count; undefined after the last.
  at::Tensor levels(std::int64_t count) {
    std::vector<at::Tensor> frames;
    while (static_cast<std::int64_t>(frames.size()) < count) {
      auto frame = reader_.next();
      if (!frame) break;
      frames.push_back(std::move(*frame));
    }
    return frames.empty() ? at::Tensor() : at::stack(frames);
  }

  /// [3, T, H, W] in [0, 1].
  at::Tensor unit(const at::Tensor& levels) const {
    const auto k = video_.enlargement;
    auto frames =
        levels.narrow(2, 0, video_.height * k).narrow(3, 0, video_.width * k).to(at::kFloat) / 255;
    if (k > 1) frames = at::avg_pool2d(frames, k, k);
    return frames.transpose(0, 1).contiguous();
  }

  bool ended() { return !reader_.next(); }
  void log() const { log_notes(reader_.notes()); }

 private:
  const FilmVideo& video_;
  VideoReader reader_;
};

/// A film and its truth, decoded one clip ahead.
class FilmDecoder {
 public:
  FilmDecoder(const FilmFile& file, const FilmFileOptions& options)
      : file_(file), film_(file.video, options) {
    if (!file.truth.path.empty()) truth_.emplace(file.truth, options);
  }

  void run(const std::function<void(const ClipView&)>& on_clip) {
    auto ahead = decode(0);
    for (std::size_t c = 0; c < file_.clips.size(); ++c) {
      const auto now = ahead.get();
      if (!now.film.defined()) break;
      if (c + 1 < file_.clips.size()) ahead = decode(c + 1);
      const auto& clip = file_.clips[c];
      const auto frames = film_.unit(now.film);
      at::Tensor truth;
      if (now.truth.defined() && now.truth.size(0) >= now.film.size(0))
        truth = truth_->unit(now.truth.narrow(0, 0, now.film.size(0)));
      on_clip({static_cast<std::int64_t>(c), clip.first_frame, frames, truth, clip.prompt,
               file_.fps, file_.video.path, file_.frames});
      if (now.film.size(0) < clip.frames) break;
    }
    if (ahead.valid()) ahead.wait();  // of a film that ended early
    if (!film_.ended()) {
      raise<IoError>(file_.video.path, ": holds more than the ", file_.frames,
                     " frames that its header promises; write it anew: ffmpeg -i FILE "
                     "repaired.mp4");
    }
    film_.log();
  }

 private:
  struct Levels {
    at::Tensor film, truth;  // uint8 [T, 3, H, W]
  };

  std::future<Levels> decode(std::size_t clip) {
    return std::async(std::launch::async, [this, count = file_.clips[clip].frames] {
      return Levels{film_.levels(count), truth_ ? truth_->levels(count) : at::Tensor()};
    });
  }

  const FilmFile& file_;
  ClipReader film_;
  std::optional<ClipReader> truth_;
};

}  // namespace

std::vector<std::string> enum_names(FilmColors) { return {"exact", "fast"}; }

FilmFile open_film(const std::string& path, const std::string& truth,
                   const FilmFileOptions& options) {
  auto look = look_at(path, options);
  FilmFile film{.video = look.video};
  film.fps = options.fps > 0 ? options.fps : look.info.fps_numerator > 0 ? look.info.fps() : 0;
  film.frames = look.info.counted ? look.info.frames : counted_frames(path, options);
  if (film.frames < 1) raise<IoError>(path, ": holds no frame");
  if (look.clips.empty() || options.fps > 0) {
    film.clips = equal_clips(film.frames, options.clip_frames);
  } else {
    film.clips = std::move(look.clips);
    const auto recorded = film.clips.back().first_frame + film.clips.back().frames;
    if (recorded != film.frames) {
      raise<IoError>(path, ": holds ", film.frames, " frames, but its record ",
                     record_path(path).string(), " is of a film of ", recorded,
                     "; remove the record to measure the video without it");
    }
  }
  if (truth.empty()) return film;
  film.truth = look_at(truth, options).video;
  if (film.truth.height != film.video.height || film.truth.width != film.video.width) {
    raise<IoError>(path, ": its frames have ", film.video.width, "x", film.video.height,
                   " pixels, those of its truth ", truth, " ", film.truth.width, "x",
                   film.truth.height, "; resize one of them");
  }
  return film;
}

VideoFilms::VideoFilms(std::vector<FilmFile> files, FilmFileOptions options,
                       std::function<void(std::int64_t)> on_film)
    : files_(std::move(files)), options_(options), on_film_(std::move(on_film)) {}

void VideoFilms::run(const std::function<void(std::int64_t, const ClipView&)>& on_clip) {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const auto film = static_cast<std::int64_t>(i);
    if (on_film_) on_film_(film);
    if (files_[i].video.path.empty()) continue;
    FilmDecoder(files_[i], options_).run([&](const ClipView& clip) { on_clip(film, clip); });
  }
}

}  // namespace svi
