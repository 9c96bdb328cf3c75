#include "svi/generate/film_output.hpp"

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/io/output_path.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

using State = OwnFolder::State;

// Settings of the file alone: a film can be decoded again with others.
const std::vector<std::string> kOfTheFile = {"film.crf", "film.fps", "film.upscale", "film.tile"};

fs::path folder_of(const fs::path& video, const char* ending) {
  auto folder = video;
  return folder.replace_extension(ending);
}

std::string lower(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

}  // namespace

const std::vector<std::string>& film_endings() {
  static const std::vector<std::string> kEndings = {".mp4", ".m4v", ".mov", ".mkv"};
  return kEndings;
}

FilmOutput::FilmOutput(fs::path video, FilmMode mode)
    : mode_(mode),
      current_(video, folder_of(video, ".film")),
      next_(video, folder_of(video, ".film.next")),
      old_(video, folder_of(video, ".film.old")) {}

void FilmOutput::check_place(const std::vector<std::string>& inputs, bool makes_folder) const {
  check_output_file(video(), makes_folder);
  const auto ending = video().extension().string();
  const auto& known = film_endings();
  if (std::find(known.begin(), known.end(), lower(ending)) == known.end()) {
    raise<ConfigError>("--out ", video().string(), ": ",
                       ending.empty() ? "has no ending" : "a film is not written as " + ending,
                       "; use ", join(known), ", such as ",
                       folder_of(video(), ".mp4").filename().string());
  }
  for (const auto& input : inputs) {
    std::error_code error;
    if (fs::equivalent(input, video(), error)) {
      raise<ConfigError>("--out ", video().string(), ": is the file ", input,
                         ", which this film reads; name another --out");
    }
    for (const auto* folder : {&current_, &next_}) {
      if (is_there(folder->path()) && is_below(input, folder->path())) {
        raise<ConfigError>("--out ", video().string(), ": keeps its latents in ",
                           folder->path().string(), ", where ", input,
                           " lies, which this film reads; name another --out");
      }
    }
  }
}

void FilmOutput::check_video() const {
  if (!is_there(video())) return;
  for (const auto* folder : {&current_, &next_, &old_}) {
    if (folder->recorded_clips() > 0) return;
  }
  raise<ConfigError>(video().string(), ": is there already, and is no video that ",
                     current_.path().string(), " records, so svi-generate does not replace it; ",
                     "name another --out, or move it away");
}

void FilmOutput::check_fresh() {
  if (current_.begun() || next_.begun()) {
    raise<ConfigError>(video().string(), ": a film was begun there; --resume goes on with ",
                       "it, --overwrite begins anew");
  }
  check_video();
  if (is_there(video()))
    raise<ConfigError>(video().string(), ": is there already; name another --out, or --overwrite");
  anew_ = true;
}

void FilmOutput::check_overwrite() {
  check_video();
  replaces_ = current_.begun() || is_there(video());
  anew_ = true;
  current_.own().check_clear();
}

void FilmOutput::check_resume(const Document& settings) {
  const auto& free = mode_ == FilmMode::redecode ? kOfTheFile : std::vector<std::string>();
  const bool some = current_.begun(), more = next_.begun();
  if (!some && !more) {
    if (mode_ == FilmMode::redecode)
      raise<ConfigError>(video().string(), ": there are no latents to decode again");
    check_video();
    if (is_there(video())) {
      raise<ConfigError>(video().string(), ": is there already, and nothing that it could be ",
                         "resumed from; name another --out, or --overwrite");
    }
    anew_ = true;
    return;
  }
  std::string differences;
  if (more) differences = next_.differences(settings, free);
  replaces_ = more && differences.empty();
  if (some && !replaces_) {
    const auto others = current_.differences(settings, free);
    if (others.empty() || !more) differences = others;
  }
  if (!differences.empty()) {
    raise<ConfigError>(video().string(), ": was begun with other settings:", differences,
                       "\nGo on with those, name another --out, or begin anew with --overwrite");
  }
  if (replaces_) current_.own().check_clear();
  check_video();
}

void FilmOutput::check(const Document& settings) {
  replaces_ = anew_ = false;
  makes_parent_ = video().has_parent_path() && !is_there(video().parent_path());
  if (mode_ == FilmMode::fresh) check_fresh();
  if (mode_ == FilmMode::overwrite) check_overwrite();
  if (mode_ == FilmMode::resume || mode_ == FilmMode::redecode) check_resume(settings);
  const auto& own = folder().own();
  if (anew_ && own.state() == State::own) own.check_clear();
  own.check_usable();
}

void FilmOutput::begin(const Document& settings) const {
  if (anew_) {
    if (folder().own().state() == State::own) folder().own().clear();
    folder().create(settings);
  } else if (mode_ == FilmMode::redecode) {
    folder().remove_frames();
    folder().create(settings);
  }
}

void FilmOutput::finish() const {
  if (!replaces_) return;
  try {
    if (old_.own().state() == State::own) old_.own().clear();
    if (is_there(current_.path())) fs::rename(current_.path(), old_.path());
    fs::rename(next_.path(), current_.path());
    for (const auto& left : old_.own().clear()) {
      SVI_WARN("film", (current_.path() / left).string(), ": is not svi's; it stays");
      if (!is_there(current_.path() / left)) fs::rename(old_.path() / left, current_.path() / left);
    }
    old_.own().clear();
  } catch (const fs::filesystem_error& error) {
    raise<IoError>(error.path1().string(), ": the new film is whole, but its latents cannot be ",
                   "moved to ", current_.path().string(), ": ", error.code().message());
  }
}

void FilmOutput::abandon() const noexcept {
  try {
    if (anew_ && folder().own().state() == State::own && !folder().begun()) folder().own().clear();
    std::error_code error;
    if (makes_parent_) fs::remove(video().parent_path(), error);  // if it is empty
  } catch (const std::exception& error) {
    SVI_WARN("film", error.what());
  }
}

}  // namespace svi
