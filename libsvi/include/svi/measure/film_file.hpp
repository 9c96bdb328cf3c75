#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/measure/film_meter.hpp"

namespace svi {

/// One clip of a film in a file.
struct FilmClip {
  std::int64_t first_frame = 0, frames = 0;  // in the film
  std::string prompt = {};                   // may be empty
};

/// What a video does not tell of the film in it: the file FILM.json beside FILM.mp4, which an
/// experiment writes with every film.
struct FilmRecord {
  std::int64_t height = 0, width = 0;  // of the film, pixels
  /// Each of its pixels is enlargement x enlargement pixels of the video, which may have one row
  /// and column more: codecs want even numbers.
  std::int64_t enlargement = 1;
  std::vector<FilmClip> clips = {};  // in order, without gaps; empty: not known
};

/// Where the record of a video is.
SVI_EXPORT std::filesystem::path record_path(const std::filesystem::path& video);
/// Writes a video's record, replacing an older one.
SVI_EXPORT void write_film_record(const std::filesystem::path& video, const FilmRecord& record);
/// Nothing where there is no record. Throws IoError naming it where it is damaged.
SVI_EXPORT std::optional<FilmRecord> read_film_record(const std::filesystem::path& video);
/// Text of a record to the record; `origin` names it in errors. Throws IoError.
SVI_EXPORT FilmRecord parse_film_record(std::string_view text, const std::string& origin);
/// The text of a record.
SVI_EXPORT std::string film_record_text(const FilmRecord& record);

/// How the colours of a film's frames are computed.
enum class FilmColors {
  exact,  // by FFmpeg's C code, the same on every processor; published values come from it
  fast,   // by SIMD code, which differs by a few levels between processors
};
/// "exact", "fast".
SVI_EXPORT std::vector<std::string> enum_names(FilmColors);

/// How films in files are measured.
struct FilmFileOptions {
  std::int64_t clip_frames = 17;  // of a clip, where no record tells; the last may be shorter
  double fps = 0;                 // frames are retimed to this many per second; 0: each frame once
  FilmColors colors = FilmColors::exact;     // conversion to RGB
  ColorMatrix matrix = ColorMatrix::tagged;  // of the conversion
};

/// One video as it will be read.
struct FilmVideo {
  std::string path = {};               // of the file
  std::int64_t height = 0, width = 0;  // of the film in it, pixels
  std::int64_t enlargement = 1;        // see FilmRecord
};

/// A film in a file, as it will be measured; without a path, a film without a frame.
struct FilmFile {
  FilmVideo video = {}, truth = {};  // the truth's path is empty where it is not known
  std::int64_t frames = 0;           // number of frames
  double fps = 0;                    // frames per second; 0: not known
  std::vector<FilmClip> clips = {};  // all frames, in order
};

/// Looks at a film: its header and its record; decodes it where the header does not count its
/// frames. A record counts only at the film's own rate. Throws IoError naming the file if it is
/// missing, broken, holds no frame, or is not the film of its record; and if the truth is of
/// another size.
SVI_EXPORT FilmFile open_film(const std::string& path, const std::string& truth,
                              const FilmFileOptions& options);

/// Films in files, one after the other; a clip is decoded while the one before is measured.
///
/// Pixels are 8-bit levels over 255; those of an enlarged film are the means over what each became.
/// A film that ends before its header says is measured as far as it goes, with a warning; frames
/// beyond that are an IoError. A clip whose truth ends earlier has none.
class SVI_EXPORT VideoFilms final : public FilmSource {
 public:
  /// `on_film` is called before each film with its index; it may throw to stop.
  VideoFilms(std::vector<FilmFile> files, FilmFileOptions options,
             std::function<void(std::int64_t)> on_film = {});

  std::int64_t films() const override { return static_cast<std::int64_t>(files_.size()); }
  /// Throws IoError naming the film that cannot be read on.
  void run(const std::function<void(std::int64_t, const ClipView&)>& on_clip) override;

 private:
  std::vector<FilmFile> files_;
  FilmFileOptions options_;
  std::function<void(std::int64_t)> on_film_;
};

}  // namespace svi
