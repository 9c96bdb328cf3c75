#include "svi/io/video_reader.hpp"

#include <ATen/ATen.h>

#include <filesystem>

#include "av.hpp"
#include "color_converter.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"

namespace svi {

namespace {

// Containers that hold their media themselves; playlists, which name other files, are not among
// them.
constexpr const char* kFormats =
    "mov,mp4,matroska,webm,avi,gif,mpegts,mpeg,mpegvideo,flv,ogg,yuv4mpegpipe,image2,h264,hevc,"
    "apng,"
    "png_pipe,jpeg_pipe,bmp_pipe,webp_pipe,tiff_pipe,ppm_pipe,pgm_pipe";

av::Input open_input(const std::string& path) {
  if (!std::filesystem::exists(path)) raise<IoError>(path, ": no such file");
  if (!std::filesystem::is_regular_file(path)) raise<IoError>(path, ": is not a file");
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  av_dict_set(&options, "format_whitelist", kFormats, 0);
  av_dict_set(&options, "pattern_type", "none", 0);  // image2: a '%' in a name is a '%'
  AVFormatContext* raw = nullptr;
  // "file:" keeps a name such as "concat:a|b" from being read as a protocol.
  const int code = avformat_open_input(&raw, ("file:" + path).c_str(), nullptr, &options);
  av_dict_free(&options);
  av::check(code, path, "cannot be read as a video or image");
  return av::Input(raw);
}

}  // namespace

struct VideoReader::Impl {
  std::string path;
  VideoReaderOptions options;
  VideoInfo info;
  bool image = false;
  std::int64_t position = 0;

  av::Input input;
  AVStream* stream = nullptr;
  av::Codec codec;
  av::Frame frame{av_frame_alloc()};
  av::Packet packet{av_packet_alloc()};
  std::unique_ptr<ColorConverter> converter;
  bool draining = false;

  Impl(std::string name, VideoReaderOptions given) : path(std::move(name)), options(given) {
    av::capture_log();
    open();
  }

  void open() {
    av::forget_log();
    draining = false;
    position = 0;
    codec = {};
    input = open_input(path);
    av::check(avformat_find_stream_info(input.get(), nullptr), path, "cannot be read as a video");
    const AVCodec* decoder = nullptr;
    const int index = av_find_best_stream(input.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (index < 0 || decoder == nullptr)
      raise<IoError>(path, ": has no video that this FFmpeg can decode");
    stream = input.get()->streams[index];
    for (unsigned i = 0; i < input.get()->nb_streams; ++i) {
      if (input.get()->streams[i] != stream) input.get()->streams[i]->discard = AVDISCARD_ALL;
    }
    if (av::is_cut_short(input.get(), stream)) {
      raise<IoError>(
          path, ": is cut short: its index names data beyond the end of the file; copy it again");
    }
    codec = av::Codec(avcodec_alloc_context3(decoder));
    av::check(avcodec_parameters_to_context(codec.get(), stream->codecpar), path,
              "has broken parameters");
    codec.get()->thread_count = 1;  // ranks, not threads, share the cores
    av::check(avcodec_open2(codec.get(), decoder, nullptr), path, "its decoder does not open");
    read_info();
  }

  void read_info() {
    info.width = codec.get()->width;
    info.height = codec.get()->height;
    const AVRational rate = av_guess_frame_rate(input.get(), stream, nullptr);
    info.fps_numerator = rate.num;
    info.fps_denominator = std::max(rate.den, 1);
    info.frames = stream->nb_frames;
    const std::string format = input.get()->iformat->name;
    const bool piped = format.size() > 5 && format.substr(format.size() - 5) == "_pipe";
    image = piped || format == "image2";
    if (image) {
      info.frames = 1;
    } else if (info.frames == 0 && input.get()->duration > 0 && rate.num > 0) {
      info.frames = av_rescale(input.get()->duration, rate.num,
                               std::int64_t{AV_TIME_BASE} * info.fps_denominator);
    }
  }

  /// Feeds the decoder one packet of the stream, or its end.
  void feed() {
    for (;;) {
      const av::PacketGuard guard(packet);
      const int code = av_read_frame(input.get(), packet.get());
      if (code == AVERROR_EOF) {
        draining = true;
        av::check(avcodec_send_packet(codec.get(), nullptr), path, "cannot be decoded");
        return;
      }
      av::check(code, path, "cannot be read");
      if (packet.get()->stream_index != stream->index) continue;
      if ((packet.get()->flags & AV_PKT_FLAG_CORRUPT) != 0) {
        raise<IoError>(path, ": is damaged or cut short after frame ", position);
      }
      av::check(avcodec_send_packet(codec.get(), packet.get()), path,
                "is damaged; decoding failed");
      return;
    }
  }

  /// Decodes the next frame into `frame`; false after the last.
  bool decode() {
    av::forget_log();
    for (;;) {
      const int code = avcodec_receive_frame(codec.get(), frame.get());
      if (code == AVERROR_EOF) break;
      if (code == AVERROR(EAGAIN)) {
        feed();
        continue;
      }
      av::check(code, path, "is damaged; decoding failed");
      if (frame.get()->decode_error_flags != 0 ||
          (frame.get()->flags & AV_FRAME_FLAG_CORRUPT) != 0) {
        raise<IoError>(path, ": is damaged at frame ", position);
      }
      ++position;
      return true;
    }
    if (position == 0)
      raise<IoError>(path, ": holds no frame that can be decoded; is it cut short?");
    return false;
  }

  at::Tensor pixels() {
    if (!converter) converter = std::make_unique<ColorConverter>(path, options, image);
    return converter->to_rgb(frame.get());
  }
};

VideoReader::VideoReader(const std::string& path, VideoReaderOptions options)
    : impl_(std::make_unique<Impl>(path, options)) {
  if (const double degrees = av::rotation_of(impl_->stream); degrees != 0) {
    SVI_WARN("video", path, ": its tag asks for a rotation by ", degrees,
             " degrees, which is not applied");
  }
}

VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;
VideoReader::~VideoReader() = default;

const VideoInfo& VideoReader::info() const { return impl_->info; }

std::int64_t VideoReader::position() const { return impl_->position; }

std::optional<at::Tensor> VideoReader::next() {
  if (!impl_->decode()) return std::nullopt;
  return impl_->pixels();
}

at::Tensor VideoReader::read(std::int64_t first, std::int64_t count) {
  SVI_CHECK(first >= 0 && count >= 1, "frames ", first, " + ", count);
  if (first < impl_->position) impl_->open();
  at::Tensor video;  // [count, 3, H, W]
  for (std::int64_t i = 0; i < count;) {
    if (!impl_->decode()) {
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
  return count == video.size(0) ? video : video.slice(0, 0, count).clone();
}

at::Tensor read_image(const std::string& path) {
  VideoReader reader(path);
  return *reader.next();  // a reader without a first frame throws
}

}  // namespace svi
