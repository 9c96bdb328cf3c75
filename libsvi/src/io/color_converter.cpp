#include "color_converter.hpp"

#include <ATen/ATen.h>

#include <cstring>
#include <mutex>

#include "svi/core/check.hpp"

namespace svi {

namespace {

/// FFmpeg chooses between C and SIMD code when a scaler is made, by flags of the whole process.
class CpuFlagsOff {
 public:
  explicit CpuFlagsOff(bool active) : active_(active) {
    if (!active_) return;
    mutex().lock();
    av_force_cpu_flags(0);
  }
  CpuFlagsOff(const CpuFlagsOff&) = delete;
  CpuFlagsOff& operator=(const CpuFlagsOff&) = delete;
  ~CpuFlagsOff() {
    if (!active_) return;
    av_force_cpu_flags(-1);
    mutex().unlock();
  }

 private:
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
  bool active_;
};

/// The number behind one of FFmpeg's enums: a damaged file can put any in, and loading it as an
/// enum would be undefined.
template <class Enum>
int number_of(const Enum& value) {
  int number = 0;
  static_assert(sizeof number == sizeof value);
  std::memcpy(&number, &value, sizeof number);
  return number;
}

}  // namespace

const int* ColorConverter::coefficients(const AVFrame* frame) const {
  int space = SWS_CS_ITU601;
  switch (options_.matrix) {
    case ColorMatrix::bt601:
      break;
    case ColorMatrix::bt709:
      space = SWS_CS_ITU709;
      break;
    case ColorMatrix::tagged:
      switch (number_of(frame->colorspace)) {
        case AVCOL_SPC_BT709:
          space = SWS_CS_ITU709;
          break;
        case AVCOL_SPC_SMPTE240M:
          space = SWS_CS_SMPTE240M;
          break;
        case AVCOL_SPC_BT2020_NCL:
          space = SWS_CS_BT2020;
          break;
      }
      break;
  }
  return sws_getCoefficients(space);
}

void ColorConverter::prepare(const AVFrame* frame) {
  const CpuFlagsOff guard(options_.exact_c_path);
  const auto format = static_cast<AVPixelFormat>(frame->format);
  int flags = SWS_BICUBIC;
  if (interpolate_chroma_) flags |= SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_ACCURATE_RND;
  scaler_ =
      av::Scaler(sws_getContext(frame->width, frame->height, format, frame->width, frame->height,
                                AV_PIX_FMT_RGB24, flags, nullptr, nullptr, nullptr));
  if (!scaler_) raise<IoError>(path_, ": cannot convert its pixel format to RGB");

  int *inverse = nullptr, *table = nullptr;
  int source_range = 0, target_range = 0, brightness = 0, contrast = 0, saturation = 0;
  if (sws_getColorspaceDetails(scaler_.get(), &inverse, &source_range, &table, &target_range,
                               &brightness, &contrast, &saturation) >= 0) {
    const int wanted_range = number_of(frame->color_range) == AVCOL_RANGE_JPEG ? 1 : source_range;
    const int* wanted = coefficients(frame);
    // Left alone where nothing changes: setting the details may choose another code path.
    if (wanted_range != source_range || !std::equal(wanted, wanted + 4, inverse)) {
      sws_setColorspaceDetails(scaler_.get(), wanted, wanted_range, table, target_range, brightness,
                               contrast, saturation);
    }
  }
  width_ = frame->width;
  height_ = frame->height;
  format_ = frame->format;
}

at::Tensor ColorConverter::to_rgb(const AVFrame* frame) {
  if (!scaler_) prepare(frame);
  if (frame->width != width_ || frame->height != height_ || frame->format != format_) {
    raise<IoError>(path_, ": changes from ", width_, "x", height_, " to ", frame->width, "x",
                   frame->height, " or its pixel format on the way; convert it to one size first");
  }
  // SIMD code writes whole vectors, also behind the end of a row.
  const std::int64_t stride = (3 * static_cast<std::int64_t>(width_) + 127) / 64 * 64;
  const auto buffer = at::empty({height_, stride}, at::kByte);
  std::uint8_t* const planes[4] = {buffer.data_ptr<std::uint8_t>(), nullptr, nullptr, nullptr};
  const int strides[4] = {static_cast<int>(stride), 0, 0, 0};
  const int rows =
      sws_scale(scaler_.get(), frame->data, frame->linesize, 0, height_, planes, strides);
  if (rows != height_) raise<IoError>(path_, ": colour conversion failed");
  return buffer.slice(1, 0, 3 * width_).view({height_, width_, 3}).permute({2, 0, 1}).contiguous();
}

}  // namespace svi
