#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/core/export.hpp"
#include "svi/generate/film_folder.hpp"

namespace svi {

/// What to do about a film that is there already.
enum class FilmMode {
  fresh,      // refuse
  resume,     // go on with it
  redecode,   // decode its latents again
  overwrite,  // make another one, and replace it when that one is whole
};

/// Where a film goes, and what becomes of an earlier one of that name.
///
/// A film is made in `NAME.film` beside its video. One that replaces another is made in
/// `NAME.film.next`, and takes its place when it is whole; until then video and latents of the
/// earlier one stay. A video is replaced only if it is, byte for byte, one that was recorded in
/// these folders; what svi did not make is never removed.
class SVI_EXPORT FilmOutput {
 public:
  /// Of the film that becomes `video`, such as out.mp4; nothing is touched yet.
  FilmOutput(std::filesystem::path video, FilmMode mode);

  const std::filesystem::path& video() const { return current_.video(); }  // NAME.mp4

  /// Refuses what cannot be written: see check_output_file, and an ending that is no container for
  /// the film. `inputs` are files that are read: none may be the video or lie among its latents.
  /// The folder may be missing if it `makes_folder`. Touches nothing. Throws ConfigError.
  void check_place(const std::vector<std::string>& inputs, bool makes_folder = false) const;

  /// Decides where the film with these settings is made, and refuses what would lose an earlier
  /// one. Touches nothing. Throws ConfigError.
  void check(const Document& settings);
  /// After check(): makes the folder ready. Throws IoError.
  void begin(const Document& settings) const;
  /// Where the film is made; after check().
  const FilmFolder& folder() const { return replaces_ ? next_ : current_; }
  /// Whether an earlier film stays until this one is whole; after check().
  bool replaces() const { return replaces_; }
  /// The film is whole: it takes the place of the earlier one. Throws IoError.
  void finish() const;
  /// The film failed: removes its folder if nothing was sampled into it.
  void abandon() const noexcept;

 private:
  void check_video() const;
  void check_fresh();
  void check_overwrite();
  void check_resume(const Document& settings);

  FilmMode mode_;
  FilmFolder current_, next_, old_;
  bool replaces_ = false;
  bool anew_ = false;  // nothing that is in folder() is used
  bool makes_parent_ = false;
};

/// Endings of the files that a film can be written to, such as ".mp4".
SVI_EXPORT const std::vector<std::string>& film_endings();

}  // namespace svi
