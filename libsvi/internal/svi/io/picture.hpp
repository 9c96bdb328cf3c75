#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// An image, uint8 [3, H, W], as the bytes of a JPEG file, for a page that shows it small: of high
/// but not full quality, chroma of half the size. Odd sizes lose their last row or column. Throws
/// IoError if this FFmpeg cannot write JPEG, Error for an image of less than 2 x 2 pixels.
SVI_EXPORT std::string jpeg_picture(const at::Tensor& image);

/// The same as the bytes of a PNG file, without any loss. Throws IoError if this FFmpeg cannot
/// write PNG.
SVI_EXPORT std::string png_picture(const at::Tensor& image);

}  // namespace svi
