#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/core/export.hpp"
#include "svi/generate/storyboard.hpp"
#include "svi/io/own_folder.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Everything of a film that must survive a crash: `film.ini` (its settings), and for each clip
/// `clip-00012.h5` (the latent as sampled) and `clip-00012.F-L.mp4` (frames F to L of the clip, as
/// the film shows them); clips count in the order in which they are made. Methods that go on from
/// more than the clip before keep that in `state.safetensors`. The mark `.svi` also tells which
/// videos were made of them.
///
/// Each file appears whole or not at all, the latent before the frames, so that a stop at any
/// moment loses at most the clip in work.
class SVI_EXPORT FilmFolder {
 public:
  /// Of the film that becomes `video`, such as out.mp4; nothing is touched yet.
  FilmFolder(std::filesystem::path video, std::filesystem::path folder);

  const std::filesystem::path& video() const { return video_; }      // NAME.mp4
  const std::filesystem::path& path() const { return own_.path(); }  // the folder
  const OwnFolder& own() const { return own_; }                      // whose files it may remove
  /// Whether settings of a film are there.
  bool exists() const;
  /// Whether anything was sampled.
  bool begun() const;

  /// Makes the folder and keeps the settings. Throws IoError.
  void create(const Document& settings) const;
  /// Each setting ("section.key") that is another than the film was begun with, but for those of
  /// `free`, a line each; empty if none. Throws ConfigError if film.ini cannot be read.
  std::string differences(const Document& settings, const std::vector<std::string>& free) const;
  /// Removes what was decoded; latents and settings stay.
  void remove_frames() const;

  bool has_latent(std::int64_t clip) const;  // whether it is stored
  /// Removes those of the first `clips` latents that are damaged, with a warning each, so that they
  /// are made again: the same clip before, settings and noise give the same latent.
  void remove_damaged(std::int64_t clips) const;
  /// [1, z, F, h, w] fp32. Throws IoError if it is damaged, ConfigError naming the clip if prompt
  /// or seed are others than it was made with.
  at::Tensor latent(std::int64_t clip, const ClipOrder& order) const;
  /// Stores a latent [1, z, F, h, w] with its order. Throws IoError.
  void put_latent(std::int64_t clip, const ClipOrder& order, const at::Tensor& latent) const;

  /// What put_state was given last: after how many pieces, and the state; nothing without. Throws
  /// IoError if it is damaged.
  std::optional<std::pair<std::int64_t, NamedTensors>> state() const;
  /// Keeps what the film goes on from behind so many pieces (Film::state). Throws IoError.
  void put_state(std::int64_t pieces, const NamedTensors& state) const;

  /// Where frames first .. first + count - 1 of a clip belong.
  std::filesystem::path segment(std::int64_t clip, std::int64_t first, std::int64_t count) const;
  /// The frames of an existing video that the film goes on from.
  std::filesystem::path prefix() const;
  /// The last frames of the last clip so far.
  std::filesystem::path tail() const;

  /// Writes down that `file`, which shows so many clips, is about to become the video.
  void record(const std::filesystem::path& file, std::int64_t clips) const;
  /// How many clips the video shows, if it is a file that was recorded here; 0: it is another file,
  /// or none.
  std::int64_t recorded_clips() const;

 private:
  std::filesystem::path stem(std::int64_t clip) const;
  std::filesystem::path video_;
  OwnFolder own_;
};

}  // namespace svi
