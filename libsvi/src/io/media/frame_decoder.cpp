#include "frame_decoder.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>

#include "svi/core/check.hpp"

namespace svi {
namespace {

bool named(const AVFormatContext* input, const char* name) {
  return std::string(input->iformat->name).find(name) != std::string::npos;
}

std::string seconds_text(double seconds) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << seconds << " s";
  return text.str();
}

}  // namespace

FrameDecoder::FrameDecoder(const std::string& path) : path_(path), file_(path) {
  if (av::is_cut_short(file_.input.get(), file_.stream)) {
    raise<IoError>(
        path, ": is cut short: its index names data beyond the end of the file; copy it again");
  }
  codec_ = av::Codec(avcodec_alloc_context3(file_.decoder));
  AVCodecContext* context = codec_.get();
  av::check(avcodec_parameters_to_context(context, file_.stream->codecpar), path,
            "has broken parameters");
  if (named(file_.input.get(), "mov")) {  // its sound need not be read; see losses()
    for (unsigned i = 0; i < file_.input.get()->nb_streams; ++i) {
      AVStream* each = file_.input.get()->streams[i];
      if (each != file_.stream) each->discard = AVDISCARD_ALL;
    }
  }
  context->thread_count = 1;  // ranks, not threads, share the cores
  context->pkt_timebase = file_.stream->time_base;
  // A still image is whole or refused; a video is decoded as far as it goes. TIFF's decoder takes
  // any tag that it does not know for an error; its data was checked before.
  if (file_.image && file_.decoder->id != AV_CODEC_ID_TIFF)
    context->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_EXPLODE;
  av::check(avcodec_open2(context, file_.decoder, nullptr), path, "its decoder does not open");
}

VideoInfo FrameDecoder::info() const {
  VideoInfo info;
  info.width = codec_.get()->width;
  info.height = codec_.get()->height;
  const AVRational rate = av_guess_frame_rate(file_.input.get(), file_.stream, nullptr);
  info.fps_numerator = rate.num;
  info.fps_denominator = std::max(rate.den, 1);
  info.frames = file_.image ? 1 : promised_frames();
  info.counted = file_.image || file_.stream->nb_frames > 0;
  return info;
}

double FrameDecoder::promised() const {
  const auto duration = file_.input.get()->duration;
  return duration > 0 ? static_cast<double>(duration) / AV_TIME_BASE : 0;
}

std::int64_t FrameDecoder::promised_frames() const {
  if (file_.stream->nb_frames > 0) return file_.stream->nb_frames;
  const double frames = promised() / nominal();
  return frames < 1e9 ? std::llround(frames) : 0;
}

double FrameDecoder::nominal() const {
  const AVRational rate = av_guess_frame_rate(file_.input.get(), file_.stream, nullptr);
  return rate.num > 0 && rate.den > 0 ? av_q2d(av_inv_q(rate)) : 0.04;
}

std::optional<double> FrameDecoder::stamp(const AVFrame* frame) const {
  if (frame->best_effort_timestamp == AV_NOPTS_VALUE) return std::nullopt;
  return static_cast<double>(frame->best_effort_timestamp) * av_q2d(file_.stream->time_base);
}

double FrameDecoder::duration(const AVFrame* frame) const {
  const double seconds =
      static_cast<double>(av::duration_of(frame)) * av_q2d(file_.stream->time_base);
  return seconds > 0 && seconds <= 10 ? seconds : nominal();
}

AVRational FrameDecoder::pixel_shape(AVFrame* frame) const {
  const AVRational shape = av_guess_sample_aspect_ratio(file_.input.get(), file_.stream, frame);
  return shape.num > 0 && shape.den > 0 ? shape : AVRational{1, 1};
}

void FrameDecoder::refuse(const std::string& what) const {
  const auto promised = promised_frames();
  raise<IoError>(path_, ": ", what, " after frame ", decoded_,
                 file_.image || promised <= 0 ? "" : cat(" of about ", promised), "; copy it again",
                 file_.image ? "" : ", or keep what can be read: ffmpeg -i FILE repaired.mp4");
}

void FrameDecoder::feed() {
  for (;;) {
    const av::PacketGuard guard(packet_);
    const int code = av_read_frame(file_.input.get(), packet_.get());
    if (code == AVERROR_EOF) {
      draining_ = true;
      av::check(avcodec_send_packet(codec_.get(), nullptr), path_, "cannot be decoded");
      return;
    }
    av::check(code, path_, "cannot be read");
    const AVPacket* packet = packet_.get();
    const AVStream* stream = file_.input.get()->streams[packet->stream_index];
    if (const auto time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
        time != AV_NOPTS_VALUE) {
      const auto start = file_.input.get()->start_time;
      const double end = (static_cast<double>(time) + static_cast<double>(packet->duration)) *
                             av_q2d(stream->time_base) -
                         (start == AV_NOPTS_VALUE ? 0 : static_cast<double>(start) / AV_TIME_BASE);
      reached_ = std::max(reached_, end);
    }
    if (stream != file_.stream) continue;
    if ((packet->flags & AV_PKT_FLAG_CORRUPT) != 0) refuse("is damaged or cut short");
    if (avcodec_send_packet(codec_.get(), packet) < 0)
      refuse(cat("is damaged (", av::message(AVERROR_INVALIDDATA), ")"));
    return;
  }
}

bool FrameDecoder::next(AVFrame* frame) {
  av::forget_log();
  for (;;) {
    const int code = avcodec_receive_frame(codec_.get(), frame);
    if (code == AVERROR_EOF) break;
    if (code == AVERROR(EAGAIN)) {
      feed();
      continue;
    }
    if (code < 0) refuse(cat("is damaged (", av::message(code), ")"));
    if (frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0)
      refuse("is damaged or cut short");
    if (complaint_.empty()) complaint_ = av::first_complaint();
    ++decoded_;
    return true;
  }
  if (complaint_.empty()) complaint_ = av::first_complaint();
  if (decoded_ == 0)
    raise<IoError>(path_, ": holds no frame that can be decoded; is it cut short?");
  return false;
}

std::string FrameDecoder::losses() const {
  const AVFormatContext* input = file_.input.get();
  if (!file_.image) {
    // Compared by time, which holds for variable rates, and for all streams together, as sound may
    // end later. The index of mp4 and mov was checked before the first frame.
    const bool indexed = named(input, "mov") && file_.stream->nb_frames > 0;
    // FLV's length may count from before the first frame.
    const bool vague = named(input, "flv");
    const double slack = 1.5 * nominal() + (vague ? 0.25 : 0);
    const bool ends_early = !indexed && promised() - reached_ > slack;
    // A transport stream has no length of its own, but whole packets.
    const bool part = named(input, "mpegts") && input->pb != nullptr && avio_size(input->pb) % 188;
    const auto room = std::llround(std::min(std::max(promised(), reached_) / nominal(), 1e12));
    if (ends_early || part) {
      return cat("holds ", decoded_, " of about ", std::max<std::int64_t>(room, decoded_ + 1),
                 " frames (", seconds_text(reached_), " of ",
                 seconds_text(std::max(promised(), reached_)),
                 "): it is cut short or damaged; copy it again");
    }
    const bool steady = av_cmp_q(file_.stream->r_frame_rate, file_.stream->avg_frame_rate) == 0;
    if (!indexed && !vague && steady && decoded_ < room) {
      return cat("holds ", decoded_, " frames where its length of ", seconds_text(reached_),
                 " has room for ", room, ": frames are missing, or their rate varies");
    }
  }
  if (complaint_.empty()) return {};
  return cat("is damaged: FFmpeg says \"", complaint_, "\"; ", decoded_, " frames were read");
}

}  // namespace svi
