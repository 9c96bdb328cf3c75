#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/data/clip_source.hpp"

namespace svi {

/// Which frames a training sample's anchor may come from.
enum class AnchorFrom {
  window,   // the frames of the sample itself
  file,     // any frame of its file
  outside,  // any frame of its file that the sample does not show
  before,   // any frame of its file before the sample, as a film's first image is
};
SVI_EXPORT std::vector<std::string> enum_names(AnchorFrom);

/// One video file and what it shows.
struct VideoEntry {
  std::string path;          // of the file
  std::string category;      // empty where there is none
  std::string caption;       // its prompt
  bool own_caption = false;  // it stands in a table
};

/// Lists the videos under `path` in order of their names: a file; or a folder `<path>/<category>/`
/// of videos with an optional `<category>.csv` beside them (columns `Filename` and `Video
/// Description`); or a folder of videos. Files without video, such as sound with a cover, are
/// passed over with a warning; how many captions were found is logged. Where no sub-folder has
/// videos, all levels below are searched. Videos without caption get "A video from <category>
/// category", or `caption` where there is no category. Throws IoError if there is no video or a
/// table lacks its columns.
SVI_EXPORT std::vector<VideoEntry> list_videos(const std::string& path, const std::string& caption);

/// Clips of real videos: a random window in time and a random crop of each draw, first frames and
/// captions as held-out scenes.
///
/// With `pose` they have a track `pose`, in the same window and crop, and with `end` a track `end`,
/// the clip's or the video's last frame (svi/model/condition.hpp).
///
/// Videos are retimed to the clip's frame rate by their time stamps (VideoReaderOptions::fps).
/// Files are decoded when first needed, reduced to about twice the size asked for, and kept up to a
/// budget of memory. A file that cannot be decoded is passed over in training with a warning; only
/// if none can, or a held-out scene needs it, it is an IoError.
class SVI_EXPORT VideoFolder final : public ClipSource {
 public:
  struct Config {
    std::string path = "data/mixkit";
    std::string caption = "A video";
    AnchorFrom anchor = AnchorFrom::window;
    bool skip_blank = true;  // leave out black or empty first frames
    std::int64_t held_out = 0;
    std::string pose = {};
    bool end = false;
    std::int64_t cache_mebibytes = 1024;

    void describe(OptionVisitor& visit);
    std::string problem() const;
  };

  /// Lists the folder; throws IoError if it holds no video, or none to train on.
  explicit VideoFolder(Config config);
  ~VideoFolder() override;

  const std::vector<VideoEntry>& entries() const { return entries_; }  // in order of their names

 private:
  class Cache;

  Clip do_training_clip(std::uint64_t seed, std::int64_t draw,
                        const ClipShape& shape) const override;
  std::int64_t do_scene_count() const override;
  Scene do_scene(std::int64_t index, const ClipShape& shape) const override;
  /// The file's own frames, cropped at their middle; none where it ends before first + count.
  std::optional<at::Tensor> do_truth(std::int64_t index, std::int64_t first, std::int64_t count,
                                     const ClipShape& shape) const override;
  std::size_t scene_entry(std::int64_t index) const;
  std::string pose_of(std::size_t entry) const;  // its pose video; empty where there are none

  Config config_;
  std::vector<VideoEntry> entries_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace svi
