#include "color_converter.hpp"

#include <ATen/ATen.h>

#include <cstring>
#include <mutex>

#include "svi/core/check.hpp"
#include "svi/tensor/levels.hpp"

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

/// Four components of 16 bits or three, as swscale writes them, -> [H, W, C] of 32 bits.
at::Tensor widened(const at::Tensor& buffer) {  // uint8 [H, W, 2 C], little-endian
  const auto low = buffer.slice(2, 0, std::nullopt, 2).to(at::kInt);
  return low + buffer.slice(2, 1, std::nullopt, 2).to(at::kInt) * 256;
}

/// Over white: [H, W, 4] of levels up to `top` -> [H, W, 3].
at::Tensor composited(const at::Tensor& pixels, double top) {
  const auto alpha = pixels.slice(2, 3, 4).to(at::kDouble) / top;
  return pixels.slice(2, 0, 3).to(at::kDouble) * alpha + top * (1 - alpha);
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
        case AVCOL_SPC_FCC:
          space = SWS_CS_FCC;
          break;
        case AVCOL_SPC_SMPTE240M:
          space = SWS_CS_SMPTE240M;
          break;
        case AVCOL_SPC_BT2020_NCL:
        case AVCOL_SPC_BT2020_CL:
          space = SWS_CS_BT2020;
          break;
      }
      break;
  }
  return sws_getCoefficients(space);
}

int ColorConverter::flags() const {
  if (options_.exact_c_path) return SWS_BICUBIC;
  constexpr int kAccurate =
      SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;
  return kAccurate | (interpolate_chroma_ ? SWS_BICUBIC : SWS_POINT);
}

void ColorConverter::prepare(const AVFrame* frame) {
  const CpuFlagsOff guard(options_.exact_c_path);
  const auto format = static_cast<AVPixelFormat>(frame->format);
  const AVPixFmtDescriptor* kind = av_pix_fmt_desc_get(format);
  if (kind == nullptr) raise<IoError>(path_, ": has an unknown pixel format");
  alpha_ = (kind->flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
  const bool subsampled = kind->log2_chroma_w != 0 || kind->log2_chroma_h != 0;
  const bool yuv = (kind->flags & AV_PIX_FMT_FLAG_RGB) == 0 && kind->nb_components >= 3;
  deep_ = kind->comp[0].depth > 8 && !subsampled && !yuv;
  const auto target = deep_ ? (alpha_ ? AV_PIX_FMT_RGBA64LE : AV_PIX_FMT_RGB48LE)
                            : (alpha_ ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24);
  scaler_ = av::Scaler(sws_getContext(frame->width, frame->height, format, frame->width,
                                      frame->height, target, flags(), nullptr, nullptr, nullptr));
  if (!scaler_) raise<IoError>(path_, ": cannot convert its pixel format to RGB");

  int *inverse = nullptr, *table = nullptr;
  int source_range = 0, target_range = 0, brightness = 0, contrast = 0, saturation = 0;
  if (sws_getColorspaceDetails(scaler_.get(), &inverse, &source_range, &table, &target_range,
                               &brightness, &contrast, &saturation) >= 0) {
    int wanted_range = source_range;
    if (number_of(frame->color_range) == AVCOL_RANGE_JPEG) wanted_range = 1;
    if (number_of(frame->color_range) == AVCOL_RANGE_MPEG && kind->nb_components <= 2)
      wanted_range = 0;  // grey counts as of full range where nothing is said
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
  const std::int64_t bytes = (alpha_ ? 4 : 3) * (deep_ ? 2 : 1);  // of a pixel
  // SIMD code writes whole vectors, also behind the end of a row.
  const std::int64_t stride = (bytes * width_ + 127) / 64 * 64;
  const auto buffer = at::empty({height_, stride}, at::kByte);
  std::uint8_t* const planes[4] = {buffer.data_ptr<std::uint8_t>(), nullptr, nullptr, nullptr};
  const int strides[4] = {static_cast<int>(stride), 0, 0, 0};
  const int rows =
      sws_scale(scaler_.get(), frame->data, frame->linesize, 0, height_, planes, strides);
  if (rows != height_) raise<IoError>(path_, ": colour conversion failed");
  auto pixels = buffer.slice(1, 0, bytes * width_).view({height_, width_, bytes});
  const double top = deep_ ? 65535 : 255;
  if (deep_) pixels = widened(pixels);
  if (alpha_) {
    if (pixels.select(2, 3).min().item<double>() < top) {
      met_transparency_ = true;
      pixels = composited(pixels, top);
    } else {
      pixels = pixels.slice(2, 0, 3);
    }
  }
  if (pixels.scalar_type() != at::kByte) pixels = to_levels(pixels.to(at::kDouble) * (255 / top));
  return pixels.permute({2, 0, 1}).contiguous();
}

std::string colour_note(const AVFrame* frame) {
  std::string note;
  switch (number_of(frame->color_trc)) {
    case AVCOL_TRC_SMPTE2084:
    case AVCOL_TRC_ARIB_STD_B67:
      note = cat("is HDR (", number_of(frame->color_trc) == AVCOL_TRC_SMPTE2084 ? "PQ" : "HLG",
                 "); its levels are taken as they are and look pale; map it to standard range "
                 "first, as FFmpeg's filter tonemap does");
      break;
    default:
      if (number_of(frame->color_primaries) == AVCOL_PRI_BT2020)
        note = "has the primaries of BT.2020, which are not converted; its colours look pale";
  }
  switch (number_of(frame->colorspace)) {
    case AVCOL_SPC_YCGCO:
    case AVCOL_SPC_SMPTE2085:
    case AVCOL_SPC_CHROMA_DERIVED_NCL:
    case AVCOL_SPC_CHROMA_DERIVED_CL:
    case AVCOL_SPC_ICTCP:
      note +=
          cat(note.empty() ? "" : "; ", "its colour matrix is not known here and read as BT.601");
      break;
    case AVCOL_SPC_BT2020_CL:
      note += cat(note.empty() ? "" : "; ",
                  "its constant-luminance matrix is read as that of BT.2020 without");
  }
  return note;
}

}  // namespace svi
