#include "svi/io/picture.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "yuv_frame.hpp"

namespace svi {
namespace {

constexpr const char* kJpegPicture = "picture";  // what messages name: there is no file
constexpr int kJpegQuantizer = 3;                // of 2 to 31; a few levels of error

/// What an encoder makes of one frame.
std::string encoded_picture(const av::Codec& codec, const AVFrame* frame) {
  av::check(avcodec_send_frame(codec.get(), frame), kJpegPicture, "cannot be encoded");
  const av::Packet packet(av_packet_alloc());
  av::check(avcodec_receive_packet(codec.get(), packet.get()), kJpegPicture, "cannot be encoded");
  return {reinterpret_cast<const char*>(packet.get()->data),
          static_cast<std::size_t>(packet.get()->size)};
}

av::Codec open_png(std::int64_t height, std::int64_t width) {
  const AVCodec* encoder = avcodec_find_encoder(AV_CODEC_ID_PNG);
  if (encoder == nullptr) raise<IoError>(kJpegPicture, ": this FFmpeg has no PNG encoder");
  av::Codec codec(avcodec_alloc_context3(encoder));
  auto* context = codec.get();
  context->width = static_cast<int>(width);
  context->height = static_cast<int>(height);
  context->pix_fmt = AV_PIX_FMT_RGB24;
  context->time_base = {1, 1};
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_BITEXACT;
  av::check(avcodec_open2(context, encoder, nullptr), kJpegPicture, "its encoder does not open");
  return codec;
}

av::Codec open_jpeg(std::int64_t height, std::int64_t width) {
  const AVCodec* encoder = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  if (encoder == nullptr) raise<IoError>(kJpegPicture, ": this FFmpeg has no JPEG encoder");
  av::Codec codec(avcodec_alloc_context3(encoder));
  auto* context = codec.get();
  context->width = static_cast<int>(width);
  context->height = static_cast<int>(height);
  context->pix_fmt = AV_PIX_FMT_YUVJ420P;
  context->colorspace = AVCOL_SPC_BT470BG;
  context->color_range = AVCOL_RANGE_JPEG;
  context->time_base = {1, 1};
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  context->global_quality = FF_QP2LAMBDA * kJpegQuantizer;
  av::check(avcodec_open2(context, encoder, nullptr), kJpegPicture, "its encoder does not open");
  return codec;
}

}  // namespace

std::string jpeg_picture(const at::Tensor& image) {
  SVI_CHECK(image.scalar_type() == at::kByte && image.dim() == 3 && image.size(0) == 3 &&
                image.size(1) >= 2 && image.size(2) >= 2,
            "a picture is uint8 [3, H, W] of 2 x 2 pixels at least, got ", image.scalar_type(), " ",
            image.sizes());
  av::capture_log();
  av::forget_log();
  const auto even = image.narrow(1, 0, image.size(1) / 2 * 2).narrow(2, 0, image.size(2) / 2 * 2);
  const auto codec = open_jpeg(even.size(1), even.size(2));
  YuvFrame frame(kJpegPicture, codec.get());
  auto* filled = frame.fill(even.cpu());
  filled->quality = codec.get()->global_quality;
  filled->pts = 0;
  return encoded_picture(codec, filled);
}

std::string png_picture(const at::Tensor& image) {
  SVI_CHECK(image.scalar_type() == at::kByte && image.dim() == 3 && image.size(0) == 3 &&
                image.size(1) >= 1 && image.size(2) >= 1,
            "a picture is uint8 [3, H, W], got ", image.scalar_type(), " ", image.sizes());
  av::capture_log();
  av::forget_log();
  const auto rows = image.permute({1, 2, 0}).contiguous().cpu();  // [H, W, 3]
  const auto codec = open_png(image.size(1), image.size(2));
  const av::Frame frame(av_frame_alloc());
  auto* filled = frame.get();
  filled->format = AV_PIX_FMT_RGB24;
  filled->width = codec.get()->width;
  filled->height = codec.get()->height;
  av::check(av_frame_get_buffer(filled, 0), kJpegPicture, "there is no memory for it");
  const auto row_bytes = static_cast<std::size_t>(3 * image.size(2));
  const auto* from = rows.const_data_ptr<std::uint8_t>();
  for (std::int64_t y = 0; y < image.size(1); ++y) {
    std::copy_n(from + static_cast<std::size_t>(y) * row_bytes, row_bytes,
                filled->data[0] + y * filled->linesize[0]);
  }
  filled->pts = 0;
  return encoded_picture(codec, filled);
}

}  // namespace svi
