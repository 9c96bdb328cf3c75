#pragma once

#include <ATen/ATen.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/hashed_weights.hpp"

namespace svi::testing {

/// [3, H, W] in [0, 1], of 8-bit levels: patches and some noise; the same as `frame` of
/// make_flow_fixtures.py.
inline at::Tensor hashed_frame(const std::string& name, std::int64_t height, std::int64_t width) {
  const auto patches = hashed(name + ".patches", {1, 3, (height + 15) / 16, (width + 15) / 16})
                           .repeat_interleave(16, 2)
                           .repeat_interleave(16, 3)
                           .narrow(2, 0, height)
                           .narrow(3, 0, width);
  const auto levels = patches * 90 + hashed(name, {1, 3, height, width}) * 20 + 128;
  return levels.floor().squeeze(0) / 255;
}

/// Names and sizes of a file's tensors, from a list in tests/data/vision: one a line, the sizes
/// behind a tab.
inline std::vector<std::pair<std::string, std::vector<std::int64_t>>> tensor_list(
    const std::string& name) {
  std::ifstream file(std::string(SVI_SOURCE_DIR "/tests/data/vision/") + name);
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> list;
  for (std::string line; std::getline(file, line);) {
    const auto tab = line.find('\t');
    std::istringstream numbers(line.substr(tab));
    std::vector<std::int64_t> sizes;
    for (std::int64_t size = 0; numbers >> size;) sizes.push_back(size);
    list.emplace_back(line.substr(0, tab), sizes);
  }
  return list;
}

}  // namespace svi::testing
