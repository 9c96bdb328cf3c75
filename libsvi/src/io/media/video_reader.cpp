#include "svi/io/video_reader.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <iomanip>

#include "color_converter.hpp"
#include "frame_clock.hpp"
#include "frame_decoder.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/tensor/levels.hpp"

namespace svi {

namespace {

struct Size {
  std::int64_t width, height;
};

/// The size with square pixels: the side whose pixels are too few grows, so that nothing is lost.
Size squared(Size stored, AVRational pixel) {
  const double wide = av_q2d(pixel);
  constexpr double kMost = 8;  // no camera's pixels are wider or higher
  if (wide < 1 / kMost || wide > kMost) return stored;
  if (wide > 1) return {std::llround(static_cast<double>(stored.width) * wide), stored.height};
  return {stored.width, std::llround(static_cast<double>(stored.height) / wide)};
}

std::string rounded(double value) {
  std::ostringstream text;
  text << std::setprecision(6) << value;
  return text.str();
}

}  // namespace

struct VideoReader::Impl {
  std::string path;
  VideoReaderOptions options;
  VideoInfo info;
  std::vector<MediaNote> notes;
  std::int64_t position = 0;

  std::optional<FrameDecoder> decoder;
  av::Frame held{av_frame_alloc()}, ahead{av_frame_alloc()};  // ahead: for retiming only
  bool has_ahead = false, noted_end = false;
  std::optional<FrameClock> clock;
  std::optional<Retimer> retimer;
  double ahead_time = 0, held_time = 0;
  std::int64_t shows = 0;  // how often the held frame is still to be given
  std::int64_t repeated = 0, left_out = 0;
  std::unique_ptr<ColorConverter> converter;
  at::Tensor picture;               // [3, H, W]: the held frame, once it is asked for
  std::optional<Orientation> turn;  // by the last frame that says so

  Impl(std::string name, VideoReaderOptions given) : path(std::move(name)), options(given) {
    open();
    read_info();
  }

  void open() {
    position = shows = repeated = left_out = 0;
    has_ahead = false;
    picture = at::Tensor();
    decoder.emplace(path);
    clock.emplace(decoder->nominal());
    retimer.reset();
    if (options.fps > 0 && !decoder->file().image) retimer.emplace(options.fps);
  }

  void note(bool warning, const std::string& text) {
    const auto whole = cat(path, ": ", text);
    for (const auto& known : notes) {
      if (known.text == whole) return;
    }
    notes.push_back({warning, whole});
  }

  /// How the pictures are turned; nothing where by no right angle. What a frame says holds for
  /// those after it too.
  std::optional<Orientation> orientation(const AVFrame* frame) {
    const auto& file = decoder->file();
    if (file.still.demuxer != nullptr) return file.still.orientation;
    if (const auto* matrix = frame == nullptr ? nullptr : av::display_matrix(frame))
      return turn = orientation_of_matrix(matrix);
    if (turn) return turn;
    const auto* matrix = av::display_matrix(file.stream);
    return matrix == nullptr ? Orientation::upright : orientation_of_matrix(matrix);
  }

  void read_info() {
    info = decoder->info();
    const auto orientation_now = orientation(nullptr);
    if (!orientation_now)
      note(true, "its display matrix turns by no multiple of 90 degrees; it is not applied");
    const Size size = squared({info.width, info.height}, decoder->pixel_shape(nullptr));
    const bool swapped = swaps_sides(orientation_now.value_or(Orientation::upright));
    info.width = swapped ? size.height : size.width;
    info.height = swapped ? size.width : size.height;
    if (retimer) info.counted = false;
    if (retimer && info.frames > 0 && info.fps_numerator > 0) {
      info.frames =
          std::llround(std::min(static_cast<double>(info.frames) / info.fps() * options.fps, 1e9));
    }
  }

  void look_ahead() {
    has_ahead = decoder->next(ahead.get());
    if (has_ahead) ahead_time = clock->tick(decoder->stamp(ahead.get()));
  }

  /// Holds the file's next frame; false after its last.
  bool advance() {
    picture = at::Tensor();
    if (!retimer) {
      if (!decoder->next(held.get())) return false;
      shows = 1;
      return true;
    }
    if (decoder->decoded() == 0) look_ahead();
    if (!has_ahead) return false;
    std::swap(held, ahead);
    held_time = ahead_time;
    look_ahead();
    shows =
        retimer->shows_until(has_ahead ? ahead_time : held_time + decoder->duration(held.get()));
    repeated += std::max<std::int64_t>(shows - 1, 0);
    left_out += shows == 0 ? 1 : 0;
    return true;
  }

  /// Holds the next frame that is to be given; false after the last.
  bool step() {
    while (shows == 0) {
      if (advance()) continue;
      note_end();
      return false;
    }
    --shows;
    ++position;
    return true;
  }

  void note_end() {
    if (std::exchange(noted_end, true)) return;
    if (const auto losses = decoder->losses(); !losses.empty()) note(true, losses);
    if (retimer && clock->leaps() > 0) {
      note(true, cat("its time stamps leap ", clock->leaps(),
                     " times; there, frames follow each other at its frame rate"));
    }
    if (retimer && repeated + left_out > 0) {
      note(false,
           cat(decoder->decoded(), " frames in ", rounded(held_time), " s, at about ",
               rounded(1 / decoder->nominal()), " per second, are shown at ", rounded(options.fps),
               ": ", position, " frames, ", repeated, " repeated, ", left_out, " left out"));
    }
  }

  at::Tensor pixels() {
    if (picture.defined()) return picture;
    const bool image = decoder->file().image;
    if (!converter) converter = std::make_unique<ColorConverter>(path, options, image);
    picture = converter->to_rgb(held.get());
    if (converter->met_transparency()) note(false, "is transparent; it is shown over white");
    if (const auto colours = colour_note(held.get()); !colours.empty()) note(true, colours);

    const AVRational shape = decoder->pixel_shape(held.get());
    const Size size = squared({picture.size(2), picture.size(1)}, shape);
    if (size.width != picture.size(2) || size.height != picture.size(1)) {
      picture =
          resize_levels(picture.unsqueeze(0), size.height, size.width, Resampling::bicubic)[0];
      note(false, cat("its pixels are ", shape.num, ":", shape.den, " wide; it is resized to ",
                      size.width, "x", size.height, " square ones"));
    }
    picture = upright(picture, orientation(held.get()).value_or(Orientation::upright));
    return picture;
  }
};

std::vector<std::string> enum_names(ColorMatrix) { return {"tagged", "bt601", "bt709"}; }

VideoReader::VideoReader(const std::string& path, VideoReaderOptions options)
    : impl_(std::make_unique<Impl>(path, options)) {}

VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;
VideoReader::~VideoReader() = default;

const VideoInfo& VideoReader::info() const { return impl_->info; }

const std::vector<MediaNote>& VideoReader::notes() const { return impl_->notes; }

std::int64_t VideoReader::position() const { return impl_->position; }

std::optional<at::Tensor> VideoReader::next() {
  if (!impl_->step()) return std::nullopt;
  return impl_->pixels();
}

at::Tensor VideoReader::read(std::int64_t first, std::int64_t count) {
  SVI_CHECK(first >= 0 && count >= 1, "frames ", first, " + ", count);
  if (first < impl_->position) impl_->open();
  at::Tensor video;  // [count, 3, H, W]
  for (std::int64_t i = 0; i < count;) {
    if (!impl_->step()) {
      raise<IoError>(impl_->path, ": has ", impl_->position, " frames; frames ", first, " to ",
                     first + count - 1, " were asked for");
    }
    if (impl_->position <= first) continue;
    const auto image = impl_->pixels();
    if (!video.defined())
      video = at::empty({count, 3, image.size(1), image.size(2)}, image.options());
    video[i++].copy_(image);
  }
  return video;
}

at::Tensor read_video(const std::string& path, VideoReaderOptions options) {
  VideoReader reader(path, options);
  at::Tensor video;  // [room, 3, H, W]
  std::int64_t count = 0;
  while (const auto image = reader.next()) {
    const auto room = video.defined() ? video.size(0) : 0;
    if (count == room) {
      // The file's own count, if it is sane, makes this the only allocation.
      const auto hint = std::clamp<std::int64_t>(reader.info().frames, 16, 4096);
      auto larger = at::empty({std::max(hint, 2 * room), 3, image->size(1), image->size(2)},
                              image->options());
      if (room > 0) larger.slice(0, 0, room).copy_(video);
      video = larger;
    }
    video[count++].copy_(*image);
  }
  log_notes(reader.notes());
  return count == video.size(0) ? video : video.slice(0, 0, count).clone();
}

at::Tensor read_image(const std::string& path) {
  VideoReader reader(path);
  const auto image = *reader.next();  // a reader without a first frame throws
  log_notes(reader.notes());
  if (reader.info().frames != 1)
    SVI_INFO("video", path, ": holds more than one picture; the first is taken");
  return image;
}

void log_notes(const std::vector<MediaNote>& notes) {
  for (const auto& note : notes)
    log(note.warning ? Severity::warning : Severity::info, "video", note.text);
}

}  // namespace svi
