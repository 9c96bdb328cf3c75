#include "resampler.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

// Samples per second. Sound has 8,000 to 192,000, dictation less, studios up to four times as many;
// a damaged header may name billions, for which a filter would take minutes and gigabytes to make.
constexpr int kLowestRate = 1000;
constexpr int kHighestRate = 768'000;

}  // namespace

Resampler::Resampler(const std::string& path, const AVFrame* first, std::int64_t rate,
                     std::int64_t channels)
    : path_(path),
      rate_(rate),
      channels_(channels),
      in_rate_(first->sample_rate),
      in_channels_(first->ch_layout.nb_channels),
      in_format_(first->format) {
  if (in_rate_ < kLowestRate || in_rate_ > kHighestRate) {
    raise<IoError>(path_, ": its sound has ", in_rate_, " samples per second, where svi reads ",
                   kLowestRate, " to ", kHighestRate, "; is the file damaged?");
  }
  AVChannelLayout in{}, out{};
  // Files that do not tell where their channels belong have the usual places of that many.
  if (first->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
    av_channel_layout_default(&in, in_channels_);
  } else {
    av::check(av_channel_layout_copy(&in, &first->ch_layout), path_, "has broken channels");
  }
  if (channels == in_channels_) {
    av_channel_layout_copy(&out, &in);
  } else {
    av_channel_layout_default(&out, static_cast<int>(channels));
  }
  SwrContext* raw = nullptr;
  const int code =
      swr_alloc_set_opts2(&raw, &out, AV_SAMPLE_FMT_FLTP, static_cast<int>(rate), &in,
                          static_cast<AVSampleFormat>(in_format_), in_rate_, 0, nullptr);
  context_ = Handle<ContextTraits>(raw);
  // Channels are mixed so that full scale stays full scale: two to their mean.
  if (code >= 0) av_opt_set_double(raw, "rematrix_maxval", 1, 0);
  const int opened = code < 0 ? code : swr_init(raw);
  av_channel_layout_uninit(&in);
  av_channel_layout_uninit(&out);
  av::check(opened, path_, "its sound cannot be resampled");
}

at::Tensor Resampler::convert(const std::uint8_t** data, int count) {
  const int room =
      av::check(swr_get_out_samples(context_.get(), count), path_, "its sound cannot be resampled");
  auto samples = at::empty({channels_, room});
  std::vector<std::uint8_t*> rows;
  for (std::int64_t c = 0; c < channels_; ++c)
    rows.push_back(reinterpret_cast<std::uint8_t*>(samples[c].mutable_data_ptr<float>()));
  const int made = av::check(swr_convert(context_.get(), rows.data(), room, data, count), path_,
                             "its sound cannot be resampled");
  return samples.narrow(1, 0, made).contiguous();
}

at::Tensor Resampler::push(const AVFrame* frame) {
  if (frame->sample_rate != in_rate_ || frame->ch_layout.nb_channels != in_channels_ ||
      frame->format != in_format_) {
    raise<IoError>(path_, ": its sound changes from ", in_rate_, " Hz and ", in_channels_,
                   " channels to ", frame->sample_rate, " Hz and ", frame->ch_layout.nb_channels,
                   "; convert it first: ffmpeg -i FILE sound.wav");
  }
  return convert(const_cast<const std::uint8_t**>(frame->extended_data), frame->nb_samples);
}

at::Tensor Resampler::flush() { return convert(nullptr, 0); }

}  // namespace svi
