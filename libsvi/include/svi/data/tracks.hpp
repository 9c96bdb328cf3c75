#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// A track that is read as it is needed, such as a long video. One thread at a time.
class SVI_EXPORT TrackReader {
 public:
  virtual ~TrackReader();

  virtual std::int64_t frames() const = 0;  // at least 1
  /// Frames first .. first + count - 1 of those, [count, ...]; dtypes as Tracks::set takes them.
  virtual at::Tensor read(std::int64_t first, std::int64_t count) const = 0;
};

/// Sequences along a film beside its frames, such as features of its sound: one entry per pixel
/// frame, by the name of the condition part that they become. Beside them, what stands at the
/// film's last frame alone, such as an end image.
///
/// Those of a clip are as long as the clip; those of a scene begin at frame 0 of the film and end
/// where the data ends. A model is told only the parts that it reads (WanDit::track_parts).
class SVI_EXPORT Tracks {
 public:
  Tracks() = default;

  /// values [frames, ...] on the CPU, at least one frame; in place of one of that name. fp32, or
  /// uint8 for pictures: levels, which the model is told as fp32 in [-1, 1].
  void set(const std::string& name, at::Tensor values);
  /// The same of a track that is read when it is asked for.
  void set(const std::string& name, std::shared_ptr<const TrackReader> reader);
  /// value [...] fp32 on the CPU: stands at the last frame alone.
  void set_end(const std::string& name, at::Tensor value);
  /// The track of that name, [frames, ...], or what stands at the end, [...]; undefined where there
  /// is none, or it is not read yet.
  const at::Tensor& operator[](std::string_view name) const;
  bool at_end(std::string_view name) const;       // whether it stands at the last frame alone
  bool empty() const { return tracks_.empty(); }  // whether there is none at all
  std::vector<std::string> names() const;         // in alphabetical order

  /// Frames first .. first + count - 1 of every track, pictures as fp32 in [-1, 1]; before frame 0,
  /// where a clip draws the end of another video again, a track's first frame. What stands at
  /// the end is there if these frames are the last of a film of `film` frames, else zeros, which
  /// stand for what is not given. Throws ConfigError as require() does.
  Tracks slice(std::int64_t first, std::int64_t count, std::int64_t film = 0) const;
  /// Throws ConfigError naming a track of fewer frames, those it has and those that are needed.
  void require(std::int64_t frames) const;
  /// The tracks of these names alone. Throws ConfigError that begins with `owner` ("scene cat")
  /// where one is missing, naming those there are.
  Tracks only(const std::vector<std::string>& names, const std::string& owner) const;

 private:
  struct Track {
    at::Tensor values;
    std::shared_ptr<const TrackReader> reader;
    bool end = false;

    std::int64_t frames() const;
  };
  std::map<std::string, Track, std::less<>> tracks_;
};

/// Values of a track as a model is told them: levels of pictures, uint8, become fp32 in [-1, 1];
/// others stay as they are. Any shape.
SVI_EXPORT at::Tensor told_values(const at::Tensor& values);

}  // namespace svi
