#pragma once

#include <ATen/ATen.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "support/temporary_folder.hpp"

namespace svi {

/// Runs `ffmpeg ARGUMENTS`, quietly; throws if it fails.
inline void ffmpeg(const std::string& arguments) {
  const auto command = "ffmpeg -v error -nostdin -y " + arguments;
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command);
}

/// The frames that the ffmpeg program makes of a file, uint8 [T, 3, H, W]: turned upright by it, as
/// it always does, and converted with its accurate flags, chroma taken from the nearest sample.
inline at::Tensor frames_of_ffmpeg(const std::string& path, std::int64_t height, std::int64_t width,
                                   const std::string& filters = "") {
  const TemporaryFolder folder;
  const auto raw = folder / "frames.rgb";
  ffmpeg("-i '" + path + "' -vsync passthrough -vf '" + filters +
         "scale=flags=neighbor+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact,format=rgb24' "
         "-f rawvideo '" +
         raw + "'");
  auto bytes = bytes_of_file(raw);
  const auto count = static_cast<std::int64_t>(bytes.size()) / (3 * height * width);
  if (count * 3 * height * width != static_cast<std::int64_t>(bytes.size()))
    throw std::runtime_error(path + ": frames of another size");
  return at::from_blob(bytes.data(), {count, height, width, 3}, at::kByte)
      .permute({0, 3, 1, 2})
      .clone(at::MemoryFormat::Contiguous);
}

}  // namespace svi
