#include "svi/data/video_folder.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <iomanip>
#include <list>
#include <map>
#include <set>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/random.hpp"
#include "svi/data/pose_video.hpp"
#include "svi/data/video_names.hpp"
#include "svi/io/video_reader.hpp"
#include "svi/tensor/levels.hpp"

namespace svi {
namespace {

/// Files are kept this much larger than asked for, so that cropping and resizing them costs no
/// detail.
constexpr double kOversampling = 2.0;

/// The tracks' names, those of condition parts.
constexpr std::string_view kPoseTrack = "pose", kEndTrack = "end";

struct Size {
  std::int64_t height, width;
  auto operator<=>(const Size&) const = default;
};

struct Box {
  std::int64_t top, left, height, width;
};

/// fp32 [T, 3, h, w] -> [T, 3, H, W], antialiased.
at::Tensor resized(const at::Tensor& frames, const Size& size) {
  if (frames.size(2) == size.height && frames.size(3) == size.width) return frames;
  return at::_upsample_bilinear2d_aa(frames, {size.height, size.width}, false);
}

/// Of one colour, as the black frame that some cutters put in front.
bool blank(const at::Tensor& frame) {  // [3, h, w] uint8
  return frame.to(at::kFloat).std({1, 2}, false).max().item<float>() < 2.0f;
}

/// The smallest size of the same shape as `file` that still shows `target` at kOversampling.
Size reduced(const Size& file, const ClipShape& target) {
  const double scale =
      kOversampling *
      std::max(static_cast<double>(target.height) / static_cast<double>(file.height),
               static_cast<double>(target.width) / static_cast<double>(file.width));
  if (scale >= 1) return file;
  return {std::llround(std::ceil(scale * static_cast<double>(file.height))),
          std::llround(std::ceil(scale * static_cast<double>(file.width)))};
}

/// The largest box of the target's shape within a picture, made smaller by up to 1/14 and placed by
/// three numbers in [0, 1); all in the middle where `numbers` is null.
Box crop_box(const Size& picture, const ClipShape& target, const double* numbers) {
  const double ratio = static_cast<double>(target.height) / static_cast<double>(target.width);
  const bool by_width =
      static_cast<double>(picture.width) * ratio <= static_cast<double>(picture.height);
  auto side = by_width ? picture.width : picture.height;
  const auto pick = [&](double number, std::int64_t count) {
    return static_cast<std::int64_t>(number * static_cast<double>(count));
  };
  if (numbers != nullptr) side -= pick(numbers[0], side / 14 + 1);
  const auto across = static_cast<double>(side);
  const auto other = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(by_width ? across * ratio : across / ratio));
  Box box{0, 0, by_width ? other : side, by_width ? side : other};
  const auto spare_rows = picture.height - box.height, spare_columns = picture.width - box.width;
  box.top = numbers == nullptr ? spare_rows / 2 : pick(numbers[1], spare_rows + 1);
  box.left = numbers == nullptr ? spare_columns / 2 : pick(numbers[2], spare_columns + 1);
  return box;
}

/// uint8 [T, 3, h, w] -> fp32 [3, T, H, W] in [-1, 1].
at::Tensor cropped(const at::Tensor& frames, const Box& box, const ClipShape& shape) {
  const auto part = frames.narrow(2, box.top, box.height).narrow(3, box.left, box.width);
  const auto sized = resized(part.to(at::kFloat), {shape.height, shape.width});
  return (sized * (2.0 / 255.0) - 1.0).clamp_(-1.0, 1.0).transpose(0, 1).contiguous();
}

Size size_of(const at::Tensor& frames) { return {frames.size(2), frames.size(3)}; }

/// The frames of a file.
struct Footage {
  at::Tensor frames;  // [T, 3, h, w] uint8
  at::Tensor pose;    // [T, 3, h, w] uint8: of its pose video; undefined without one

  std::int64_t bytes() const { return frames.numel() * (pose.defined() ? 2 : 1); }
  void cut_front(std::int64_t count) {
    frames = frames.slice(0, count);
    if (pose.defined()) pose = pose.slice(0, count);
  }
};

/// The frames of a clip: `length` of a file from frame `first` on; the last one stays where it
/// needs more. fp32 [3, T, H, W] in [-1, 1].
at::Tensor window_of(const at::Tensor& frames, std::int64_t first, std::int64_t length,
                     const Box& box, const ClipShape& shape) {
  auto video = cropped(frames.narrow(0, first, length), box, shape);
  if (length == shape.frames) return video;
  const auto last = video.narrow(1, length - 1, 1);
  return at::cat({video, last.expand({3, shape.frames - length, shape.height, shape.width})}, 1);
}

/// fp32 [3, T, H, W] in [-1, 1] -> uint8 [T, 3, H, W], as a track has it.
at::Tensor pose_track(const at::Tensor& video) {
  return levels_of_frames(video).transpose(0, 1).contiguous();
}

RandomKey key_of(std::uint64_t seed, Purpose purpose, std::int64_t draw) {
  const auto wide = static_cast<std::uint64_t>(draw);
  return {seed, purpose, static_cast<std::uint32_t>(wide), static_cast<std::uint32_t>(wide >> 32)};
}

/// Which of a file's `total` frames is the anchor of a sample that shows `length` from `first` on.
std::int64_t anchor_frame(AnchorFrom from, const RandomKey& key, std::int64_t total,
                          std::int64_t first, std::int64_t length) {
  const auto draw = [&](std::int64_t count) {  // 0 where there is none
    const auto among = static_cast<std::uint64_t>(std::max<std::int64_t>(count, 1));
    return static_cast<std::int64_t>(uniform_index(key, among, 4));
  };
  if (from == AnchorFrom::window) return first + draw(length);
  if (from == AnchorFrom::file) return draw(total);
  if (from == AnchorFrom::before || total == length) return draw(first);
  const auto outside = draw(total - length);
  return outside < first ? outside : outside + length;
}

}  // namespace

std::vector<std::string> enum_names(AnchorFrom) { return {"window", "file", "outside", "before"}; }

/// Decoded files at reduced size, the least recently used dropped first. What it returns does not
/// depend on what it holds.
class VideoFolder::Cache {
 public:
  Cache(std::int64_t budget, bool skip_blank) : budget_(budget), skip_blank_(skip_blank) {}

  /// All frames of a file, reduced for `shape`. `pose`: its pose video, or empty. Throws IoError.
  Footage footage(const std::string& path, const std::string& pose, const ClipShape& shape) {
    const Key key{path, shape.height, shape.width, shape.fps};
    for (auto item = items_.begin(); item != items_.end(); ++item) {
      if (item->key != key) continue;
      items_.splice(items_.begin(), items_, item);
      return item->footage;
    }
    const auto footage = decode(path, pose, shape);
    const auto bytes = footage.bytes();
    if (bytes > budget_) return footage;
    while (held_ + bytes > budget_) {
      held_ -= items_.back().footage.bytes();
      items_.pop_back();
    }
    items_.push_front({key, footage});
    held_ += bytes;
    return footage;
  }

  bool broken(const std::string& path) const { return broken_.count(path) != 0; }
  void mark_broken(const std::string& path, const std::string& why) { broken_.emplace(path, why); }
  const std::string& first_reason() const { return broken_.begin()->second; }

 private:
  using Key = std::tuple<std::string, std::int64_t, std::int64_t, double>;
  struct Item {
    Key key;
    Footage footage;
  };

  Footage decode(const std::string& path, const std::string& pose, const ClipShape& shape) {
    VideoReader reader(path, {.fps = shape.fps});
    std::vector<at::Tensor> frames;
    std::size_t blanks = 0;  // in front
    while (const auto frame = reader.next()) {
      const auto size = reduced({frame->size(1), frame->size(2)}, shape);
      frames.push_back(
          resize_levels(frame->unsqueeze(0), size.height, size.width, Resampling::bilinear));
      if (skip_blank_ && blanks + 1 == frames.size() && blank(frames.back()[0])) ++blanks;
    }
    if (frames.empty()) raise<IoError>(path, ": has no frames");
    if (noted_.insert(path).second) log_notes(reader.notes());
    Footage all{at::cat(frames), {}};
    if (!pose.empty()) all.pose = decode_pose(pose, path, all.frames, shape.fps);
    if (blanks < frames.size()) all.cut_front(static_cast<std::int64_t>(blanks));
    return all;
  }

  /// The pose of each of the frames of a video, in their size.
  at::Tensor decode_pose(const std::string& pose, const std::string& path, const at::Tensor& frames,
                         double fps) {
    const auto size = size_of(frames);
    VideoReader reader(pose, {.fps = fps});
    std::vector<at::Tensor> poses;
    while (static_cast<std::int64_t>(poses.size()) < frames.size(0)) {
      const auto frame = reader.next();
      if (!frame) {
        raise<IoError>(pose, ": has ", poses.size(), " frames at ", fps, " per second, but ", path,
                       " has ", frames.size(0), "; both must show the same time");
      }
      if (poses.empty())
        check_pose_shape(pose, frame->size(1), frame->size(2), size.height, size.width);
      poses.push_back(
          resize_levels(frame->unsqueeze(0), size.height, size.width, Resampling::bilinear));
    }
    if (noted_.insert(pose).second) log_notes(reader.notes());
    return at::cat(poses);
  }

  std::int64_t budget_, held_ = 0;
  bool skip_blank_;
  std::list<Item> items_;
  std::map<std::string, std::string> broken_;  // path to reason
  std::set<std::string> noted_;                // paths whose notes are logged
};

void VideoFolder::Config::describe(OptionVisitor& visit) {
  visit(path, {.key = "path",
               .help = "folder of videos, or of one sub-folder per category with captions in "
                       "<category>/<category>.csv; or one video"});
  visit(caption,
        {.key = "caption", .help = "caption of videos that have neither caption nor category"});
  visit(anchor, {.key = "anchor",
                 .help = "frames from which a sample's anchor is drawn; window: the sample's own "
                         "frames; file: all frames of its file; outside: those that the sample "
                         "does not show; before: those before it. A file that has none of these "
                         "gives its first frame"});
  visit(held_out, {.key = "held_out",
                   .help = "number of videos, the last by name, that only held-out scenes use; 0: "
                           "every video serves both",
                   .min = 0});
  visit(pose, {.key = "pose",
               .help = "folder of pose videos, called and sorted into sub-folders as the videos "
                       "are: the track `pose` of clips and scenes"});
  visit(end, {.key = "end",
              .help = "give clips and scenes an end image, the track `end`: a clip's last frame, "
                      "the last frame of a scene's video"});
  visit(cache_mebibytes, {.key = "cache_mebibytes",
                          .help = "memory for decoded videos, per rank",
                          .unit = "MiB",
                          .min = 0});
}

std::string VideoFolder::Config::problem() const {
  return path.empty() ? "path is empty; name a folder of videos" : "";
}

VideoFolder::VideoFolder(Config config)
    : config_(std::move(config)),
      entries_(list_videos(config_.path, config_.caption)),
      cache_(std::make_unique<Cache>(config_.cache_mebibytes << 20, config_.skip_blank)) {
  if (config_.held_out >= static_cast<std::int64_t>(entries_.size())) {
    raise<IoError>(config_.path, ": holds ", entries_.size(),
                   " videos, all of them held out; held_out ", "must be less");
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) pose_of(i);  // each is there
}

VideoFolder::~VideoFolder() = default;

Clip VideoFolder::do_training_clip(std::uint64_t seed, std::int64_t draw,
                                   const ClipShape& shape) const {
  const auto count = entries_.size() - static_cast<std::size_t>(config_.held_out);
  const auto drawn = uniform_index(key_of(seed, Purpose::data_order, draw), count);
  Footage footage;
  std::size_t chosen = 0;
  for (std::size_t tried = 0; tried < count && !footage.frames.defined(); ++tried) {
    chosen = (drawn + tried) % count;
    const auto& path = entries_[chosen].path;
    if (cache_->broken(path)) continue;
    try {
      footage = cache_->footage(path, pose_of(chosen), shape);
    } catch (const IoError& error) {
      SVI_WARN("data", "passed over: ", error.what());
      cache_->mark_broken(path, error.what());
    }
  }
  const auto& frames = footage.frames;
  if (!frames.defined()) {
    raise<IoError>(config_.path, ": none of its ", count,
                   " videos can be read; the first says: ", cache_->first_reason());
  }

  const auto key = key_of(seed, Purpose::data_content, draw);
  const auto total = frames.size(0);
  const auto length = std::min(total, shape.frames);
  const auto first = static_cast<std::int64_t>(
      uniform_index(key, static_cast<std::uint64_t>(total - length + 1), 0));
  const std::array<double, 3> numbers = {uniform(key, 1), uniform(key, 2), uniform(key, 3)};
  const auto box = crop_box(size_of(frames), shape, numbers.data());
  const auto anchor = anchor_frame(config_.anchor, key, total, first, length);

  auto video = window_of(frames, first, length, box, shape);  // [3, T, H, W]
  Tracks tracks;
  if (footage.pose.defined()) {
    tracks.set(std::string(kPoseTrack),
               pose_track(window_of(footage.pose, first, length, box, shape)));
  }
  if (config_.end) tracks.set_end(std::string(kEndTrack), video.select(1, shape.frames - 1));
  return {video,
          cropped(frames.narrow(0, anchor, 1), box, shape).select(1, 0),
          entries_[chosen].caption,
          std::move(tracks),
          entries_[chosen].path,
          first};
}

std::int64_t VideoFolder::do_scene_count() const {
  return config_.held_out > 0 ? config_.held_out : static_cast<std::int64_t>(entries_.size());
}

std::size_t VideoFolder::scene_entry(std::int64_t index) const {
  const auto first = config_.held_out > 0
                         ? entries_.size() - static_cast<std::size_t>(config_.held_out)
                         : std::size_t{0};
  return first + static_cast<std::size_t>(index);
}

std::string VideoFolder::pose_of(std::size_t entry) const {
  if (config_.pose.empty()) return {};
  const std::filesystem::path video = entries_[entry].path;
  const auto within = std::filesystem::is_directory(config_.path)
                          ? video.lexically_relative(config_.path)
                          : video.filename();
  const auto folder = std::filesystem::path(config_.pose) / within.parent_path();
  if (std::filesystem::exists(folder / within.filename()))
    return (folder / within.filename()).string();
  std::string found;  // the first by name
  std::error_code unreadable;
  for (const auto& file : std::filesystem::directory_iterator(folder, unreadable)) {
    if (file.path().stem() != within.stem() || !is_video(file.path())) continue;
    if (found.empty() || file.path().string() < found) found = file.path().string();
  }
  if (found.empty()) {
    raise<IoError>((folder / within.stem()).string(), ".*: there is no pose video of ",
                   video.string(), "; [data] pose must hold one of each video, or be left out");
  }
  return found;
}

Scene VideoFolder::do_scene(std::int64_t index, const ClipShape& shape) const {
  const auto& entry = entries_[scene_entry(index)];
  auto image = do_truth(index, 0, 1, shape)->select(1, 0);  // [3, H, W]
  std::ostringstream name;
  name << std::setw(3) << std::setfill('0') << index << '-';
  for (const char c : std::filesystem::path(entry.path).stem().string()) {
    const auto byte = static_cast<unsigned char>(c);
    name << (std::isalnum(byte) || c == '-' || c == '_' ? c : '_');
  }
  const auto footage = cache_->footage(entry.path, pose_of(scene_entry(index)), shape);
  const auto box = crop_box(size_of(footage.frames), shape, nullptr);
  Tracks tracks;
  if (footage.pose.defined())
    tracks.set(std::string(kPoseTrack), pose_track(cropped(footage.pose, box, shape)));
  if (config_.end) {
    const auto last = footage.frames.narrow(0, footage.frames.size(0) - 1, 1);
    tracks.set_end(std::string(kEndTrack), cropped(last, box, shape).select(1, 0));
  }
  return {index, name.str(), std::move(image), {entry.caption}, std::move(tracks), entry.path};
}

std::optional<at::Tensor> VideoFolder::do_truth(std::int64_t index, std::int64_t first,
                                                std::int64_t count, const ClipShape& shape) const {
  const auto entry = scene_entry(index);
  const auto frames = cache_->footage(entries_[entry].path, pose_of(entry), shape).frames;
  if (first + count > frames.size(0)) return std::nullopt;
  const auto box = crop_box(size_of(frames), shape, nullptr);
  return cropped(frames.narrow(0, first, count), box, shape);
}

}  // namespace svi
