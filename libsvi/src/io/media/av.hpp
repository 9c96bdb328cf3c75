#pragma once

// FFmpeg handles, its error messages and every difference between its versions; private to io/.

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/cpu.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
}

#include <string>

#include "svi/core/handle.hpp"

namespace svi::av {

struct InputTraits {
  using Raw = AVFormatContext*;
  static Raw null() noexcept { return nullptr; }
  static void close(Raw raw) noexcept { avformat_close_input(&raw); }
};
struct OutputTraits {
  using Raw = AVFormatContext*;
  static Raw null() noexcept { return nullptr; }
  static void close(Raw raw) noexcept {
    if (raw->pb != nullptr) avio_closep(&raw->pb);
    avformat_free_context(raw);
  }
};
struct CodecTraits {
  using Raw = AVCodecContext*;
  static Raw null() noexcept { return nullptr; }
  static void close(Raw raw) noexcept { avcodec_free_context(&raw); }
};
struct FrameTraits {
  using Raw = AVFrame*;
  static Raw null() noexcept { return nullptr; }
  static void close(Raw raw) noexcept { av_frame_free(&raw); }
};
struct PacketTraits {
  using Raw = AVPacket*;
  static Raw null() noexcept { return nullptr; }
  static void close(Raw raw) noexcept { av_packet_free(&raw); }
};
struct ScalerTraits {
  using Raw = SwsContext*;
  static Raw null() noexcept { return nullptr; }
  static void close(Raw raw) noexcept { sws_freeContext(raw); }
};

using Input = Handle<InputTraits>;
using Output = Handle<OutputTraits>;
using Codec = Handle<CodecTraits>;
using Frame = Handle<FrameTraits>;
using Packet = Handle<PacketTraits>;
using Scaler = Handle<ScalerTraits>;

/// Empties a packet at the end of a scope; the packet itself is allocated once.
class PacketGuard {
 public:
  explicit PacketGuard(const Packet& packet) : packet_(packet.get()) {}
  PacketGuard(const PacketGuard&) = delete;
  PacketGuard& operator=(const PacketGuard&) = delete;
  ~PacketGuard() { av_packet_unref(packet_); }

 private:
  AVPacket* packet_;
};

/// FFmpeg's text for an error code, and the last line it logged on this thread since forget_log().
std::string message(int code);
/// The first error that FFmpeg logged on this thread since forget_log(), also where it went on in
/// spite of it; empty without one.
const std::string& first_complaint();
void forget_log();

/// Throws IoError "FILE: DOING: message" for a negative code; returns it otherwise.
int check(int code, const std::string& file, const char* doing);

/// Sends FFmpeg's log lines to svi's debug log; once per process, from the first use of a reader or
/// writer.
void capture_log();

/// True if the container's index names bytes beyond the end of the file: it was cut short.
bool is_cut_short(const AVFormatContext* input, AVStream* stream);

/// The nine numbers by which a player turns and mirrors the stream, or this one frame; null
/// without.
const std::int32_t* display_matrix(AVStream* stream);
const std::int32_t* display_matrix(const AVFrame* frame);

/// How long a frame is shown, in units of its stream's time base; 0 where the file does not tell.
std::int64_t duration_of(const AVFrame* frame);

}  // namespace svi::av
