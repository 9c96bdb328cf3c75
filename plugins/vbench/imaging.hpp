#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace svi::vbench {

/// How frames are made smaller before MUSIQ looks at them.
enum class ImagingSize { longer, shorter, shorter_centercrop, none };
std::vector<std::string> enum_names(ImagingSize);

inline constexpr std::int64_t kImagingSide = 512;  // pixels

/// Height and width of frames after that; no crop.
std::pair<std::int64_t, std::int64_t> imaging_size(std::int64_t height, std::int64_t width,
                                                   ImagingSize mode);

}  // namespace svi::vbench
