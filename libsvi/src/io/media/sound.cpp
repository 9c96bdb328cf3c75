#include "svi/io/sound.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "av.hpp"
#include "resampler.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr double kLongest = 24 * 3600;  // seconds

// Containers that hold their sound themselves; playlists, which name other files, are not among
// them.
constexpr const char* kSoundFormats =
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,ogg,wav,w64,aiff,au,caf,flac,mp3,aac,ac3,eac3,amr,"
    "ape,wv,tta,opus,asf";

/// The sound stream of a file, decoded frame by frame.
class SoundDecoder {
 public:
  explicit SoundDecoder(const std::string& path) : path_(path) {
    if (!std::filesystem::exists(path)) raise<IoError>(path, ": no such file");
    if (!std::filesystem::is_regular_file(path)) raise<IoError>(path, ": is not a file");
    if (std::filesystem::file_size(path) == 0) raise<IoError>(path, ": is empty");
    av::capture_log();
    av::forget_log();
    AVDictionary* options = nullptr;
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    av_dict_set(&options, "format_whitelist", kSoundFormats, 0);
    AVFormatContext* raw = nullptr;
    const int code = avformat_open_input(&raw, ("file:" + path).c_str(), nullptr, &options);
    av_dict_free(&options);
    av::check(code, path, "cannot be read as sound");
    input_ = av::Input(raw);
    av::check(avformat_find_stream_info(raw, nullptr), path, "cannot be read as sound");
    const AVCodec* decoder = nullptr;
    const int index = av_find_best_stream(raw, AVMEDIA_TYPE_AUDIO, -1, -1, &decoder, 0);
    if (index < 0) raise<IoError>(path, ": has no sound", undecodable(raw));
    stream_ = raw->streams[index];
    codec_ = av::Codec(avcodec_alloc_context3(decoder));
    av::check(avcodec_parameters_to_context(codec_.get(), stream_->codecpar), path,
              "has broken parameters");
    codec_.get()->thread_count = 1;
    codec_.get()->pkt_timebase = stream_->time_base;
    av::check(avcodec_open2(codec_.get(), decoder, nullptr), path, "its decoder does not open");
    for (unsigned i = 0; i < raw->nb_streams; ++i) {
      if (raw->streams[i] != stream_) raw->streams[i]->discard = AVDISCARD_ALL;
    }
  }

  /// Decodes the next frame; false after the last.
  bool next(AVFrame* frame) {
    for (;;) {
      const int code = avcodec_receive_frame(codec_.get(), frame);
      if (code == 0) return true;
      if (code == AVERROR_EOF) return false;
      if (code != AVERROR(EAGAIN)) refuse();
      feed();
    }
  }

  /// Seconds from the moment the file begins to play to this frame; nothing where it has no time.
  std::optional<double> time(const AVFrame* frame) const {
    if (frame->best_effort_timestamp == AV_NOPTS_VALUE) return std::nullopt;
    const auto start = input_.get()->start_time;
    return static_cast<double>(frame->best_effort_timestamp) * av_q2d(stream_->time_base) -
           (start == AV_NOPTS_VALUE ? 0 : static_cast<double>(start) / AV_TIME_BASE);
  }

  const AVCodecContext* codec() const { return codec_.get(); }

 private:
  static std::string undecodable(const AVFormatContext* raw) {
    for (unsigned i = 0; i < raw->nb_streams; ++i) {
      const auto* codec = raw->streams[i]->codecpar;
      if (codec->codec_type == AVMEDIA_TYPE_AUDIO)
        return cat(" that this FFmpeg can decode: it is ", avcodec_get_name(codec->codec_id));
    }
    return "; give an audio file, or a video with a sound stream";
  }

  void feed() {
    for (;;) {
      const av::PacketGuard guard(packet_);
      const int code = av_read_frame(input_.get(), packet_.get());
      if (code == AVERROR_EOF) {
        av::check(avcodec_send_packet(codec_.get(), nullptr), path_, "cannot be decoded");
        return;
      }
      av::check(code, path_, "cannot be read");
      if (packet_.get()->stream_index != stream_->index) continue;
      if ((packet_.get()->flags & AV_PKT_FLAG_CORRUPT) != 0 ||
          avcodec_send_packet(codec_.get(), packet_.get()) < 0)
        refuse();
      return;
    }
  }

  [[noreturn]] void refuse() const {
    raise<IoError>(path_, ": its sound is damaged or cut short: ", av::first_complaint(),
                   "; copy it again, or keep what can be read: ffmpeg -i FILE repaired.wav");
  }

  std::string path_;
  av::Input input_;
  AVStream* stream_ = nullptr;
  av::Codec codec_;
  av::Packet packet_{av_packet_alloc()};
};

}  // namespace

Sound read_sound(const std::string& path, SoundOptions options) {
  SoundDecoder decoder(path);
  const av::Frame frame{av_frame_alloc()};
  std::optional<Resampler> resampler;
  std::vector<at::Tensor> pieces;
  Sound sound;
  std::int64_t length = 0;
  double begin = 0;
  const auto add = [&](at::Tensor piece) {
    if (piece.size(1) == 0) return;
    length += piece.size(1);
    if (static_cast<double>(length) > kLongest * static_cast<double>(sound.rate))
      raise<IoError>(path, ": its sound is longer than a day; cut it");
    pieces.push_back(std::move(piece));
  };
  while (decoder.next(frame.get())) {
    if (!resampler) {
      sound.rate = options.rate > 0 ? options.rate : frame.get()->sample_rate;
      const auto channels =
          options.channels > 0 ? options.channels : frame.get()->ch_layout.nb_channels;
      resampler.emplace(path, frame.get(), sound.rate, channels);
      begin = decoder.time(frame.get()).value_or(0);
    }
    add(resampler->push(frame.get()));
    av_frame_unref(frame.get());
  }
  if (resampler) add(resampler->flush());
  if (length == 0) raise<IoError>(path, ": its sound is empty");
  sound.samples = at::cat(pieces, 1);
  const auto late = std::llround(begin * static_cast<double>(sound.rate));
  if (late > 0 && begin <= kLongest) {
    sound.samples =
        at::cat({sound.samples.new_zeros({sound.samples.size(0), late}), sound.samples}, 1);
  } else if (late < 0 && -late < length) {
    sound.samples = sound.samples.narrow(1, -late, length + late).contiguous();
  }
  if (!at::isfinite(sound.samples).all().item<bool>())
    raise<IoError>(path, ": its sound holds values that are not finite");
  return sound;
}

Sound read_film_sound(const std::string& path) {
  constexpr std::array<std::int64_t, 13> kRates = {96000, 88200, 64000, 48000, 44100, 32000, 24000,
                                                   22050, 16000, 12000, 11025, 8000,  7350};
  SoundOptions options;
  {
    const SoundDecoder decoder(path);
    if (decoder.codec()->ch_layout.nb_channels > 2) options.channels = 2;
    const auto rate = decoder.codec()->sample_rate;
    if (std::find(kRates.begin(), kRates.end(), rate) == kRates.end()) options.rate = 48000;
  }
  return read_sound(path, options);
}

}  // namespace svi
