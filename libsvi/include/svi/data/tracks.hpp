#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// Sequences along a film beside its frames, such as features of its sound: one entry per pixel
/// frame, by the name of the condition part that they become.
///
/// Those of a clip are as long as the clip; those of a scene begin at frame 0 of the film and end
/// where the data ends. A model is told only the parts that it reads (WanDit::track_parts).
class SVI_EXPORT Tracks {
 public:
  Tracks() = default;

  /// values [frames, ...] fp32 on the CPU, at least one frame; in place of one of that name.
  void set(const std::string& name, at::Tensor values);
  /// The track of that name, [frames, ...]; undefined where there is none.
  const at::Tensor& operator[](std::string_view name) const;
  bool empty() const { return values_.empty(); }  // whether there is none at all
  std::vector<std::string> names() const;         // in alphabetical order

  /// Frames first .. first + count - 1 of every track. Throws ConfigError naming a track that is
  /// too short, the frames it has and those that are needed.
  Tracks slice(std::int64_t first, std::int64_t count) const;
  /// The tracks of these names alone. Throws ConfigError that begins with `owner` ("scene cat")
  /// where one is missing, naming those there are.
  Tracks only(const std::vector<std::string>& names, const std::string& owner) const;

 private:
  std::map<std::string, at::Tensor, std::less<>> values_;
};

}  // namespace svi
