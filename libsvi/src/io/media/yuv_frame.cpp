#include "yuv_frame.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

// FFmpeg's vector code reads up to that many bytes behind the last pixel; it makes nothing of them.
constexpr std::int64_t kReadBehind = AV_INPUT_BUFFER_PADDING_SIZE;

}  // namespace

YuvFrame::YuvFrame(std::string path, const AVCodecContext* codec)
    : path_(std::move(path)), frame_(av_frame_alloc()) {
  const int width = codec->width;
  const int height = codec->height;
  auto* frame = frame_.get();
  frame->format = codec->pix_fmt;
  frame->width = width;
  frame->height = height;
  frame->colorspace = codec->colorspace;
  frame->color_range = codec->color_range;
  av::check(av_frame_get_buffer(frame, 0), path_, "cannot be encoded");
  scaler_ = av::Scaler(
      sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P,
                     SWS_AREA | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, nullptr, nullptr, nullptr));
  if (!scaler_) raise<IoError>(path_, ": cannot convert RGB of ", width, "x", height, " to YUV");
  const int* bt601 = sws_getCoefficients(SWS_CS_ITU601);
  const int full = codec->color_range == AVCOL_RANGE_JPEG ? 1 : 0;
  sws_setColorspaceDetails(scaler_.get(), bt601, 1, bt601, full, 0, 1 << 16, 1 << 16);
  packed_ = at::zeros({std::int64_t{3} * width * height + kReadBehind}, at::kByte);
}

AVFrame* YuvFrame::fill(const at::Tensor& image) {
  auto* frame = frame_.get();
  SVI_CHECK(image.dim() == 3 && image.size(0) == 3 && image.size(1) == frame->height &&
                image.size(2) == frame->width,
            path_, ": frame of ", image.sizes());
  packed_.narrow(0, 0, image.numel())
      .view({image.size(1), image.size(2), 3})
      .copy_(image.permute({1, 2, 0}));
  av::check(av_frame_make_writable(frame), path_, "cannot be encoded");
  const std::uint8_t* const planes[4] = {packed_.const_data_ptr<std::uint8_t>(), nullptr, nullptr,
                                         nullptr};
  const int strides[4] = {3 * frame->width, 0, 0, 0};
  sws_scale(scaler_.get(), planes, strides, 0, frame->height, frame->data, frame->linesize);
  return frame;
}

}  // namespace svi
