#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "film.hpp"
#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"
#include "svi/data/pose_video.hpp"
#include "svi/generate/frame_size.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/extension.hpp"

namespace svi::generate {
namespace {

constexpr std::int64_t kDefaultClips = 10;

/// Poses that are no video: points, in a file or in a folder of files.
bool are_points(const std::string& path) {
  return path.ends_with(".json") || path.ends_with(".npz") || std::filesystem::is_directory(path);
}

/// The first extension that reads a track of that name; none where no one does.
const ModelExtension* reader_of(const LabelledExtensions& extensions, std::string_view name) {
  for (const auto& [label, extension] : extensions) {
    for (const auto& rule : extension->reads())
      if (rule.name == name && rule.track) return extension.get();
  }
  return nullptr;
}

}  // namespace

/// Refuses what is given but not read.
void FilmJob::check_read(const std::string& option, std::string_view name) const {
  if (std::find(reads_.begin(), reads_.end(), name) != reads_.end()) return;
  raise<ConfigError>(option, ": nothing reads a track '", name, "'; the model's extensions read ",
                     reads_.empty() ? "no track" : join(reads_), ". Add the [extension.NAME] that ",
                     "reads it, or leave the file out");
}

/// Before the length of the film is known, which may be that of its poses.
void FilmJob::open_pose(const LabelledExtensions& extensions) {
  const auto& path = request_.pose;
  if (path.empty()) return;
  check_read("--pose " + path, part::kPose);
  if (!are_points(path)) {
    pose_ = std::make_shared<PoseVideo>(path, config_);
    settings_.set("start.pose", sha256_file(path).substr(0, 16), "");
    return;
  }
  auto made =
      reader_of(extensions, part::kPose)
          ->track_of(
              part::kPose,
              {.path = path, .fps = config_.fps, .height = config_.height, .width = config_.width});
  if (!made.reader) raise<ConfigError>("--pose ", path, ": give a video of poses");
  pose_ = std::move(made.reader);
  settings_.set("start.pose", made.identity, "");
}

/// What the model reads along the film: poses, the image at the end, the files of --track, and that
/// of --audio where an extension hears it.
Tracks FilmJob::load_tracks(const LabelledExtensions& extensions) {
  Tracks tracks;
  if (pose_) tracks.set(std::string(part::kPose), pose_);
  if (const auto& path = request_.end; !path.empty()) {
    check_read("--end-image " + path, part::kEnd);
    const auto image = load_image(path, {config_.width, config_.height});
    settings_.set("start.end-image", bytes_hash(image), "");
    tracks.set_end(std::string(part::kEnd), image);
  }
  const auto given_already = [&](const std::string& name) {
    const auto names = tracks.names();
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const auto& given : a_.tracks) {
    const auto sign = given.find('=');
    if (sign == 0 || sign == std::string::npos || sign + 1 == given.size())
      raise<ConfigError>("--track ", given, ": write NAME=FILE, such as audio=speech.safetensors");
    const auto name = given.substr(0, sign), path = given.substr(sign + 1);
    check_read("--track " + name, name);
    if (given_already(name)) raise<ConfigError>("--track ", given, ": this track is given twice");
    tracks.set(name, load_track(name, path, extensions));
  }
  const std::string audio(part::kAudio);
  const bool hears = std::find(reads_.begin(), reads_.end(), audio) != reads_.end();
  if (hears && !given_already(audio)) {
    if (request_.audio.empty()) {
      raise<ConfigError>("command line: --audio is missing: an extension of the model hears the ",
                         "film's sound; give an audio file, or a video with sound");
    }
    tracks.set(audio, load_track(audio, request_.audio, extensions));
  }
  return tracks.only(reads_, "this film (--pose FILE, --end-image FILE, --track NAME=FILE)");
}

/// What the film is told, clip by clip; refuses tracks that are shorter than it.
void FilmJob::write_script(const LabelledExtensions& extensions) {
  const auto tell = [&, size = FrameSize{config_.width, config_.height}](Tracks tracks) {
    script_.emplace(
        *storyboard_, config_,
        [size, device = model_.device()](const std::string& path) {
          return load_image(path, size).to(device);
        },
        std::move(tracks));
  };
  tell({});  // how long the film is depends on its cuts
  tell(load_tracks(extensions));
  script_->end_at(method_->frames(config_, clips_, &*script_, start_.before.defined()));
}

/// As many as the film's sound and poses ask for, if it has any: enough to hear all of the sound,
/// and no more than there are poses for.
std::int64_t FilmJob::usual_clips() const {
  auto clips = start_.sound ? clips_of_sound() : kDefaultClips;
  if (!pose_) return clips;
  const auto first = method_->frames(config_, 1), more = method_->frames(config_, 2) - first;
  const auto poses = 1 + std::max<std::int64_t>(pose_->frames() - first, 0) / more;
  return start_.sound ? std::min(clips, poses) : poses;
}

/// A safetensors file with one tensor [frames, ...], one entry per pixel frame of the film, or what
/// the extension that reads the track makes of the file.
at::Tensor FilmJob::load_track(const std::string& name, const std::string& path,
                               const LabelledExtensions& extensions) {
  if (!path.ends_with(".safetensors")) {
    if (const auto* extension = reader_of(extensions, name)) {
      const auto before = clips_ > 1 ? method_->frames(config_, clips_ - 1, &*script_) : 0;
      auto made =
          extension->track_of(name, {path, config_.fps, method_->frames(config_, clips_, &*script_),
                                     before, config_.height, config_.width});
      settings_.set("start.track-" + name, made.identity, "");
      return made.reader ? made.reader->read(0, made.reader->frames()) : std::move(made.values);
    }
  }
  const auto tensors = SafetensorsFile::open(path).load_all();
  if (tensors.size() != 1 || tensors.front().second.dim() < 1) {
    raise<IoError>(path, ": holds ", tensors.size(),
                   " tensors; a track is one tensor [frames, ...]");
  }
  auto values = tensors.front().second.to(at::kFloat).contiguous();
  settings_.set("start.track-" + name, bytes_hash(values), "");
  return values;
}

/// The fewest that last as long as the sound.
std::int64_t FilmJob::clips_of_sound() const {
  const auto wanted = start_.sound->seconds() * config_.fps;
  const auto first = method_->frames(config_, 1), more = method_->frames(config_, 2) - first;
  const auto beyond = std::max(wanted - static_cast<double>(first), 0.0);
  return 1 + static_cast<std::int64_t>(std::ceil(beyond / static_cast<double>(more)));
}

}  // namespace svi::generate
