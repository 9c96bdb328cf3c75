#include "svi/generate/frame_size.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>

#include "svi/core/check.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/tensor/levels.hpp"

namespace svi {

FrameSize film_size(FrameSize image, std::int64_t max_width, std::int64_t unit) {
  const auto width = std::min(image.width, max_width);
  const auto height =
      static_cast<std::int64_t>(static_cast<double>(width) * static_cast<double>(image.height) /
                                static_cast<double>(image.width));
  return {std::max(width / unit, std::int64_t{1}) * unit,
          std::max(height / unit, std::int64_t{1}) * unit};
}

FrameSize parse_size(const std::string& text) {
  FrameSize size;
  const auto* end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, size.width);
  if (width.ec == std::errc() && width.ptr != end && *width.ptr == 'x') {
    const auto height = std::from_chars(width.ptr + 1, end, size.height);
    if (height.ec == std::errc() && height.ptr == end && size.width > 0 && size.height > 0)
      return size;
  }
  raise<ConfigError>("command line: --size ", text, " is not WIDTHxHEIGHT, such as 832x480");
}

at::Tensor resize_frames(const at::Tensor& frames, FrameSize size) {
  return resize_levels(frames, size.height, size.width, Resampling::bicubic);
}

FrameSize image_size(const std::string& path) {
  // Some videos say only in their first frame how it is turned.
  const auto frame = *VideoReader(path).next();
  return {frame.size(2), frame.size(1)};
}

at::Tensor load_image(const std::string& path, FrameSize size) {
  const auto frame = resize_frames(read_image(path).unsqueeze(0), size)[0];
  return frame.to(at::kFloat) / 127.5 - 1;
}

}  // namespace svi
