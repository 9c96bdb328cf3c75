#include "svi/io/video_join.hpp"

#include <cstring>

#include "av.hpp"
#include "sound_encoder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"

namespace svi {
namespace {

struct Part {
  av::Input input;
  AVStream* stream = nullptr;

  explicit Part(const std::string& path) {
    AVFormatContext* raw = nullptr;
    const auto source = "file:" + path;
    av::check(avformat_open_input(&raw, source.c_str(), nullptr, nullptr), path,
              "cannot be opened");
    input = av::Input(raw);
    av::check(avformat_find_stream_info(raw, nullptr), path, "cannot be read");
    const int index = av::check(av_find_best_stream(raw, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0),
                                path, "has no video");
    stream = raw->streams[index];
  }
};

bool same_kind(const AVCodecParameters& a, const AVCodecParameters& b) {
  return a.codec_id == b.codec_id && a.width == b.width && a.height == b.height &&
         a.extradata_size == b.extradata_size &&
         (a.extradata_size == 0 ||
          std::memcmp(a.extradata, b.extradata, static_cast<std::size_t>(a.extradata_size)) == 0);
}

/// The joined file while it is written.
class Joined {
 public:
  /// `delay`: frames by which decoding runs ahead of showing, the most of any part.
  Joined(const std::string& target, const Part& first, std::int64_t delay,
         const std::optional<Sound>& sound)
      : path_(target), file_(target), decoded_(-delay) {
    AVFormatContext* raw = nullptr;
    const AVOutputFormat* format = av_guess_format(nullptr, target.c_str(), nullptr);
    if (format == nullptr)
      raise<IoError>(target, ": FFmpeg knows no video format of that ending; use .mp4");
    const auto name = "file:" + file_.temporary().string();
    av::check(avformat_alloc_output_context2(&raw, format, nullptr, name.c_str()), path_,
              "cannot be written");
    output_ = av::Output(raw);
    raw->flags |= AVFMT_FLAG_BITEXACT;
    stream_ = avformat_new_stream(raw, nullptr);
    av::check(avcodec_parameters_copy(stream_->codecpar, first.stream->codecpar), path_,
              "cannot be written");
    stream_->codecpar->codec_tag = 0;
    frame_ = av_inv_q(first.stream->avg_frame_rate);
    stream_->time_base = frame_;
    stream_->avg_frame_rate = first.stream->avg_frame_rate;
    if (sound) sound_.emplace(path_, raw, *sound);
    av::check(avio_open(&raw->pb, name.c_str(), AVIO_FLAG_WRITE), path_, "cannot be written");
    AVDictionary* dictionary = nullptr;
    av_dict_set(&dictionary, "movflags", "+faststart", 0);
    const int code = avformat_write_header(raw, &dictionary);
    av_dict_free(&dictionary);
    av::check(code, path_, "cannot be written");
  }

  void add(const Part& part, const std::string& path) {
    std::int64_t frames = 0;
    for (;;) {
      const av::PacketGuard guard(packet_);
      const int code = av_read_frame(part.input.get(), packet_.get());
      if (code == AVERROR_EOF) break;
      av::check(code, path, "cannot be read");
      if (packet_.get()->stream_index != part.stream->index) continue;
      if (sound_) sound_->write_until(seconds(shown_ + frames));
      av_packet_rescale_ts(packet_.get(), part.stream->time_base, frame_);
      packet_.get()->pts += shown_;
      packet_.get()->dts = decoded_++;  // a part's own clock starts as early as it needs
      packet_.get()->duration = 1;
      packet_.get()->pos = -1;
      packet_.get()->stream_index = stream_->index;
      av_packet_rescale_ts(packet_.get(), frame_, stream_->time_base);
      av::check(av_interleaved_write_frame(output_.get(), packet_.get()), path_,
                "cannot be written");
      ++frames;
    }
    shown_ += frames;
  }

  void close(const std::function<void(const std::filesystem::path&)>& whole) {
    if (sound_) sound_->finish(seconds(shown_));
    av::check(av_write_trailer(output_.get()), path_, "cannot be written");
    av::check(output_.get()->pb->error, path_, "cannot be written");
    av::check(avio_closep(&output_.get()->pb), path_, "cannot be written");
    if (whole) whole(file_.temporary());
    file_.commit();
  }

 private:
  double seconds(std::int64_t frames) const { return static_cast<double>(frames) * av_q2d(frame_); }

  std::string path_;
  AtomicFile file_;
  av::Output output_;
  AVStream* stream_ = nullptr;
  std::optional<SoundEncoder> sound_;
  AVRational frame_{1, 1};  // duration of a frame in seconds
  av::Packet packet_{av_packet_alloc()};
  std::int64_t decoded_;    // dts of the next frame
  std::int64_t shown_ = 0;  // frames of the parts so far
};

}  // namespace

void join_videos(const std::vector<std::string>& parts, const std::string& target,
                 const std::function<void(const std::filesystem::path&)>& whole,
                 const std::optional<Sound>& sound) {
  SVI_CHECK(!parts.empty(), target, ": no videos to join");
  av::capture_log();
  av::forget_log();
  const Part first(parts.front());
  std::int64_t delay = 0;
  for (const auto& path : parts) {
    const Part part(path);
    if (!same_kind(*part.stream->codecpar, *first.stream->codecpar)) {
      raise<IoError>(path, ": is encoded in another way or size than ", parts.front(),
                     "; videos can be joined only if they were written with the same options");
    }
    delay = std::max<std::int64_t>(delay, part.stream->codecpar->video_delay);
  }
  Joined joined(target, first, delay, sound);
  for (const auto& path : parts) joined.add(Part(path), path);
  joined.close(whole);
}

}  // namespace svi
