#include "svi/io/video_writer.hpp"

#include <ATen/ATen.h>

#include <optional>

#include "av.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/io/atomic_file.hpp"
#include "yuv_frame.hpp"

namespace svi {

namespace {

const AVCodec* find_encoder(const std::string& path, const std::string& name) {
  if (const AVCodec* codec = avcodec_find_encoder_by_name(name.c_str())) return codec;
  if (name == "libx264") {
    SVI_WARN("video", path, ": this FFmpeg has no libx264; svi writes MPEG-4 part 2 instead");
    if (const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4)) return codec;
  }
  raise<IoError>(path, ": this FFmpeg has no encoder \"", name,
                 "\"; `ffmpeg -encoders` lists what it has");
}

/// Repeats pixels, then rows and columns up to even sizes: [3, H, W] -> [3, H', W'].
at::Tensor fit(at::Tensor image, std::int64_t upscale) {
  if (upscale > 1) image = image.repeat_interleave(upscale, 1).repeat_interleave(upscale, 2);
  for (const int dim : {1, 2}) {
    const auto size = image.size(dim);
    if (size % 2 != 0) image = at::cat({image, image.slice(dim, size - 1, size)}, dim);
  }
  return image;
}

}  // namespace

struct VideoWriter::Impl {
  std::string path;
  VideoWriterOptions options;
  AtomicFile file;
  av::Output output;
  av::Codec codec;
  AVStream* stream = nullptr;
  std::optional<YuvFrame> frame;
  av::Packet packet{av_packet_alloc()};
  std::int64_t frames = 0;
  bool closed = false;

  Impl(const std::string& name, VideoWriterOptions given)
      : path(name), options(std::move(given)), file(name) {
    SVI_CHECK(options.fps_numerator > 0 && options.fps_denominator > 0, "frame rate ",
              options.fps_numerator, "/", options.fps_denominator);
    SVI_CHECK(options.upscale >= 1, "upscale ", options.upscale);
    av::capture_log();
    av::forget_log();
  }

  void open(std::int64_t height, std::int64_t width) {
    const AVOutputFormat* format = av_guess_format(nullptr, path.c_str(), nullptr);
    if (format == nullptr) {
      raise<IoError>(path, ": FFmpeg knows no video format of that ending; use .mp4");
    }
    AVFormatContext* raw = nullptr;
    const auto target = "file:" + file.temporary().string();
    av::check(avformat_alloc_output_context2(&raw, format, nullptr, target.c_str()), path,
              "cannot be written");
    output = av::Output(raw);
    raw->flags |= AVFMT_FLAG_BITEXACT;  // equal frames give equal files
    open_codec(height, width);

    stream = avformat_new_stream(raw, nullptr);
    stream->time_base = codec.get()->time_base;
    stream->avg_frame_rate = codec.get()->framerate;
    av::check(avcodec_parameters_from_context(stream->codecpar, codec.get()), path,
              "cannot be written");
    av::check(avio_open(&raw->pb, target.c_str(), AVIO_FLAG_WRITE), path, "cannot be written");
    AVDictionary* dictionary = nullptr;
    av_dict_set(&dictionary, "movflags", "+faststart", 0);
    const int code = avformat_write_header(raw, &dictionary);
    av_dict_free(&dictionary);
    av::check(code, path, "cannot be written");

    frame.emplace(path, codec.get());
  }

  void open_codec(std::int64_t height, std::int64_t width) {
    const AVCodec* encoder = find_encoder(path, options.codec);
    codec = av::Codec(avcodec_alloc_context3(encoder));
    AVCodecContext* context = codec.get();
    context->width = static_cast<int>(width);
    context->height = static_cast<int>(height);
    context->pix_fmt = AV_PIX_FMT_YUV420P;
    const AVRational rate{static_cast<int>(options.fps_numerator),
                          static_cast<int>(options.fps_denominator)};
    context->framerate = rate;
    context->time_base = av_inv_q(rate);
    context->thread_count = 1;  // ranks, not threads, share the cores; and the bytes stay the same
    context->flags |= AV_CODEC_FLAG_BITEXACT;
    context->colorspace = AVCOL_SPC_SMPTE170M;
    context->color_primaries = AVCOL_PRI_SMPTE170M;
    context->color_trc = AVCOL_TRC_SMPTE170M;
    context->color_range = AVCOL_RANGE_MPEG;
    if ((output.get()->oformat->flags & AVFMT_GLOBALHEADER) != 0)
      context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    AVDictionary* dictionary = nullptr;
    if (encoder->id == AV_CODEC_ID_H264) {
      av_dict_set_int(&dictionary, "crf", options.crf, 0);
      av_dict_set(&dictionary, "preset", "medium", 0);
      // x264's vector code for its macroblock tree is not exact: quantisers differ by the
      // processor, and in small films by what memory held before. Its plain code costs nothing
      // here.
      av_dict_set(&dictionary, "x264-params", "cpu-independent=1", 0);
    } else {
      // The quantiser of MPEG-4 runs from 1 to 31 where x264's factor runs from 0 to 51.
      context->flags |= AV_CODEC_FLAG_QSCALE;
      context->global_quality =
          FF_QP2LAMBDA * static_cast<int>(std::clamp<std::int64_t>(options.crf / 6, 1, 31));
    }
    const int code = avcodec_open2(context, encoder, &dictionary);
    av_dict_free(&dictionary);
    av::check(code, path, "its encoder does not open");
  }

  /// Hands the encoder a frame, or null for the end, and writes what it gives back.
  void encode(const AVFrame* next) {
    av::check(avcodec_send_frame(codec.get(), next), path, "cannot be encoded");
    for (;;) {
      const av::PacketGuard guard(packet);
      const int code = avcodec_receive_packet(codec.get(), packet.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      av::check(code, path, "cannot be encoded");
      packet.get()->stream_index = stream->index;
      packet.get()->duration = 1;
      av_packet_rescale_ts(packet.get(), codec.get()->time_base, stream->time_base);
      av::check(av_interleaved_write_frame(output.get(), packet.get()), path, "cannot be written");
    }
  }

  void write(const at::Tensor& image) {  // [3, H, W]
    if (options.height == 0) options.height = image.size(1);
    if (options.width == 0) options.width = image.size(2);
    SVI_CHECK(image.size(1) == options.height && image.size(2) == options.width, path,
              ": frame of ", image.sizes(), " in a video of ", options.width, "x", options.height);
    const auto pixels = fit(image.to(at::kCPU), options.upscale);  // [3, H', W']
    if (!output) open(pixels.size(1), pixels.size(2));
    auto* next = frame->fill(pixels);
    next->pts = frames++;
    encode(next);
  }

  void close() {
    SVI_CHECK(!closed, path, " is already closed");
    SVI_CHECK(frames > 0, path, ": a video needs at least one frame");
    encode(nullptr);
    av::check(av_write_trailer(output.get()), path, "cannot be written");
    av::check(output.get()->pb->error, path, "cannot be written");
    av::check(avio_closep(&output.get()->pb), path, "cannot be written");
    file.commit();
    closed = true;
  }
};

VideoWriter::VideoWriter(const std::string& path, VideoWriterOptions options)
    : impl_(std::make_unique<Impl>(path, std::move(options))) {}

VideoWriter::VideoWriter(VideoWriter&&) noexcept = default;
VideoWriter& VideoWriter::operator=(VideoWriter&&) noexcept = default;
VideoWriter::~VideoWriter() = default;

void VideoWriter::write(const at::Tensor& frames) {
  SVI_CHECK(!impl_->closed, impl_->path, " is already closed");
  SVI_CHECK(frames.scalar_type() == at::kByte, "frames must be uint8, got ", frames.scalar_type());
  SVI_CHECK((frames.dim() == 3 || frames.dim() == 4) && frames.size(-3) == 3,
            "expected [3, H, W] or [T, 3, H, W], got ", frames.sizes());
  if (frames.dim() == 3) return impl_->write(frames);
  for (const auto& image : frames.unbind(0)) impl_->write(image);
}

void VideoWriter::close() { impl_->close(); }

void write_video(const std::string& path, const at::Tensor& video, VideoWriterOptions options) {
  VideoWriter writer(path, std::move(options));
  writer.write(video);
  writer.close();
}

}  // namespace svi
