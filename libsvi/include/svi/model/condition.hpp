#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// Names of the condition parts that the library itself knows. A plugin may use others.
namespace part {
inline constexpr std::string_view kText =
    "text";  // [B, L, D]  text context, zeros after the real tokens
inline constexpr std::string_view kImage =
    "image";  // [B, s + z, F, h, w]  y: mask, then condition latent
inline constexpr std::string_view kClip = "clip";  // [B, 257, 1280]  CLIP patch tokens
inline constexpr std::string_view kAudio =
    "audio";  // [B, F, N, D]  audio tokens of each latent frame
/// [B, T, 3, H, W]  fp32 in [-1, 1]: frames of a pose video, one for each pixel frame of the clip
inline constexpr std::string_view kPose = "pose";
/// [B, 3, H, W]  fp32 in [-1, 1]: the image that the film ends with, told to the clip that ends it;
/// zeros to the clips before
inline constexpr std::string_view kEnd = "end";
}  // namespace part

/// What a velocity model is told besides the noisy latent: named parts, each with one row per
/// sample. A part that is not there is an undefined tensor.
///
/// This type owns all of moving, joining, selecting and dropping, so that code that handles
/// conditions never lists their parts. Copies share the tensors. Any device and dtype.
class SVI_EXPORT Condition {
 public:
  /// A part as it is given: its name and its tensor.
  using Part = std::pair<std::string_view, at::Tensor>;

  Condition() = default;
  /// Undefined tensors are left out. Throws Error where a name comes twice.
  Condition(std::initializer_list<Part> parts);

  /// The part of that name; undefined where there is none.
  const at::Tensor& operator[](std::string_view name) const;
  /// Whether there is a part of that name.
  bool has(std::string_view name) const { return parts_.find(name) != parts_.end(); }
  /// Puts a part in place of one of the same name; an undefined tensor removes it.
  void set(std::string_view name, at::Tensor value);
  /// Whether there is no part at all.
  bool empty() const { return parts_.empty(); }
  /// Names in alphabetical order.
  std::vector<std::string> names() const;

  /// The same parts, each changed by `change`; one that becomes undefined is left out.
  Condition map(const std::function<at::Tensor(const at::Tensor&)>& change) const;
  Condition to(const at::Device& device) const;  // every part on that device
  Condition clone() const;                       // every part copied
  /// Rows of the batch by their indices, [n] int64.
  Condition rows(const at::Tensor& index) const;
  /// The parts of these names alone, as far as they are there.
  Condition only(const std::vector<std::string>& names) const;
  /// Puts all parts of `more` in, in place of those of the same name.
  void add(const Condition& more);
  /// Sets one sample's row of a part to zeros, in place; nothing where there is no such part.
  void zero_row(std::string_view name, std::int64_t row);

  /// Conditions one behind the other along the batch. Throws Error that names the part where one
  /// has a part that another lacks, or of another shape.
  static Condition join(const std::vector<Condition>& conditions);

  /// Throws Error that names the first part that is not among `known`.
  void require_known(const std::vector<std::string_view>& known) const;

  /// Whether both hold the same tensors (the same memory, not equal values).
  bool same(const Condition& other) const;

 private:
  std::map<std::string, at::Tensor, std::less<>> parts_;
};

}  // namespace svi
