#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/core/export.hpp"
#include "svi/generate/storyboard.hpp"

namespace svi {

/// Everything of a film that must survive a crash: beside `NAME.mp4` the folder `NAME.film` with
/// `film.ini` (its settings), and for each clip `clip-00012.h5` (the latent as sampled) and
/// `clip-00012.F-L.mp4` (frames F to L of the clip, as the film shows them).
///
/// Each file appears whole or not at all, the latent before the frames, so that a stop at any
/// moment loses at most the clip in work.
class SVI_EXPORT FilmFolder {
 public:
  /// Of the film that becomes `video`, such as out.mp4; nothing is touched yet.
  explicit FilmFolder(std::filesystem::path video);

  const std::filesystem::path& video() const { return video_; }  // NAME.mp4
  const std::filesystem::path& path() const { return folder_; }  // NAME.film
  /// Whether a film was begun here.
  bool exists() const;

  /// Makes the folder and keeps the settings. Throws IoError.
  void create(const Document& settings) const;
  /// Throws ConfigError naming each setting ("section.key") that is another than the film was begun
  /// with, but for those of `free`.
  void check(const Document& settings, const std::vector<std::string>& free = {}) const;
  /// Removes what was decoded; latents and settings stay.
  void remove_frames() const;
  /// Removes the folder and the video.
  void remove() const;

  bool has_latent(std::int64_t clip) const;  // whether it is stored
  /// [1, z, F, h, w] fp32. Throws IoError if it is damaged, ConfigError naming the clip if prompt
  /// or seed are others than it was made with.
  at::Tensor latent(std::int64_t clip, const ClipOrder& order) const;
  /// Stores a latent [1, z, F, h, w] with its order. Throws IoError.
  void put_latent(std::int64_t clip, const ClipOrder& order, const at::Tensor& latent) const;

  /// Where frames first .. first + count - 1 of a clip belong.
  std::filesystem::path segment(std::int64_t clip, std::int64_t first, std::int64_t count) const;
  /// The frames of an existing video that the film goes on from.
  std::filesystem::path prefix() const;
  /// The last frames of the last clip so far.
  std::filesystem::path tail() const;

 private:
  std::filesystem::path stem(std::int64_t clip) const;
  std::filesystem::path video_, folder_;
};

}  // namespace svi
