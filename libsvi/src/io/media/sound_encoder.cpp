#include "sound_encoder.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <cstring>

#include "svi/core/check.hpp"

namespace svi {
namespace {

constexpr std::int64_t kBitsPerChannel = 96'000;  // per second; transparent for speech

bool supports(const AVCodec* encoder, std::int64_t rate) {
  if (encoder->supported_samplerates == nullptr) return true;
  for (const int* each = encoder->supported_samplerates; *each != 0; ++each) {
    if (*each == rate) return true;
  }
  return false;
}

}  // namespace

SoundEncoder::SoundEncoder(std::string path, AVFormatContext* output, Sound sound)
    : path_(std::move(path)), output_(output), sound_(std::move(sound)) {
  const auto channels = sound_.samples.size(0);
  SVI_CHECK(channels == 1 || channels == 2, "a film's sound is mono or stereo, got ", channels,
            " channels");
  const AVCodec* encoder = avcodec_find_encoder(AV_CODEC_ID_AAC);
  if (encoder == nullptr) raise<IoError>(path_, ": this FFmpeg has no AAC encoder for its sound");
  SVI_CHECK(supports(encoder, sound_.rate), "AAC has no rate of ", sound_.rate, " Hz");
  stream_ = avformat_new_stream(output, nullptr);
  codec_ = av::Codec(avcodec_alloc_context3(encoder));
  auto* context = codec_.get();
  context->sample_fmt = AV_SAMPLE_FMT_FLTP;
  context->sample_rate = static_cast<int>(sound_.rate);
  av_channel_layout_default(&context->ch_layout, static_cast<int>(channels));
  context->bit_rate = kBitsPerChannel * channels;
  context->time_base = {1, context->sample_rate};
  context->flags |= AV_CODEC_FLAG_BITEXACT;
  if ((output->oformat->flags & AVFMT_GLOBALHEADER) != 0)
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  av::check(avcodec_open2(context, encoder, nullptr), path_, "its sound cannot be encoded");
  av::check(avcodec_parameters_from_context(stream_->codecpar, context), path_,
            "its sound cannot be encoded");
  stream_->time_base = context->time_base;
  auto* frame = frame_.get();
  frame->format = context->sample_fmt;
  frame->sample_rate = context->sample_rate;
  av_channel_layout_copy(&frame->ch_layout, &context->ch_layout);
  frame->nb_samples = context->frame_size;
  av::check(av_frame_get_buffer(frame, 0), path_, "its sound cannot be encoded");
}

void SoundEncoder::drain() {
  for (;;) {
    const av::PacketGuard guard(packet_);
    const int code = avcodec_receive_packet(codec_.get(), packet_.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    av::check(code, path_, "its sound cannot be encoded");
    av_packet_rescale_ts(packet_.get(), codec_.get()->time_base, stream_->time_base);
    packet_.get()->stream_index = stream_->index;
    av::check(av_interleaved_write_frame(output_, packet_.get()), path_, "cannot be written");
  }
}

/// One frame of sound, up to sample `end`.
void SoundEncoder::encode(std::int64_t end) {
  auto* frame = frame_.get();
  av::check(av_frame_make_writable(frame), path_, "its sound cannot be encoded");
  const auto size = static_cast<std::int64_t>(codec_.get()->frame_size);
  const auto count = std::min(size, end - position_);
  const auto there = std::clamp<std::int64_t>(sound_.samples.size(1) - position_, 0, count);
  frame->nb_samples = static_cast<int>(count);
  frame->pts = position_;
  for (std::int64_t c = 0; c < sound_.samples.size(0); ++c) {
    auto* row = reinterpret_cast<float*>(frame->extended_data[c]);
    const auto* from = sound_.samples[c].const_data_ptr<float>() + position_;
    if (there > 0) std::memcpy(row, from, static_cast<std::size_t>(there) * sizeof(float));
    std::fill(row + there, row + count, 0.0F);
  }
  av::check(avcodec_send_frame(codec_.get(), frame), path_, "its sound cannot be encoded");
  position_ += count;
  frame->nb_samples = static_cast<int>(size);
  drain();
}

void SoundEncoder::write_until(double seconds) {
  const auto end = std::llround(seconds * static_cast<double>(sound_.rate));
  const auto size = static_cast<std::int64_t>(codec_.get()->frame_size);
  while (position_ + size <= end && position_ < sound_.samples.size(1)) encode(position_ + size);
}

void SoundEncoder::finish(double seconds) {
  write_until(seconds);
  const auto end = std::min(std::llround(seconds * static_cast<double>(sound_.rate)),
                            static_cast<long long>(sound_.samples.size(1)));
  while (position_ < end) encode(end);
  av::check(avcodec_send_frame(codec_.get(), nullptr), path_, "its sound cannot be encoded");
  drain();
}

}  // namespace svi
