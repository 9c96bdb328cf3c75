#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <svi/config/option.hpp>
#include <utility>

#include "vision/scene_cuts.hpp"

namespace svi::vbench {

/// How VBench-Long cuts a film: perhaps into scenes, and these into clips.
struct LongCutOptions {
  std::int64_t seconds = 2;
  bool scenes = false;
  double scene_threshold = 35;
  std::int64_t scene_frames = 15;

  void describe(OptionVisitor& visit) {
    visit(seconds, {.key = "seconds",
                    .help = "length of the clips that a film is cut into",
                    .unit = "s",
                    .min = 1,
                    .max = 3600});
    visit(scenes, {.key = "scenes",
                   .help = "cut the film into scenes first, each of which counts as a film of its "
                           "own (VBench-Long's semantic splitting)"});
    visit(scene_threshold, {.key = "scene_threshold",
                            .help = "mean change of hue, saturation and value from frame to frame "
                                    "that begins a scene; VBench-Long: 35",
                            .unit = "levels",
                            .min = 0,
                            .max = 255});
    visit(scene_frames, {.key = "scene_frames",
                         .help = "smallest length of a scene",
                         .unit = "frames",
                         .min = 0,
                         .max = 1e6});
  }
};

/// Cuts the frames of a film, which come one by one as whatever is kept of them, into scenes and
/// clips: clips of equal length one after the other; where the last one of a scene is incomplete,
/// its last frames of that length take its place, so that they overlap the clip before. A shorter
/// scene is one clip. Keeps no more than one clip's frames and, where scenes are looked for, those
/// of which it is not known yet to which scene they belong.
template <class Frame>
class LongCuts {
 public:
  using OnClip = std::function<void(const std::deque<Frame>&)>;
  using OnScene = std::function<void()>;

  /// `length` frames to a clip.
  LongCuts(std::int64_t length, const LongCutOptions& options, OnClip on_clip, OnScene on_scene)
      : length_(length), on_clip_(std::move(on_clip)), on_scene_(std::move(on_scene)) {
    if (options.scenes) cuts_.emplace(options.scene_threshold, options.scene_frames);
  }

  /// The next frame; `levels` are its pixels, [3, H, W] from 0 to 255.
  void push(Frame frame, const at::Tensor& levels) {
    waiting_.push_back(std::move(frame));
    auto known = passed_ + static_cast<std::int64_t>(waiting_.size());
    if (cuts_) {
      if (const auto cut = cuts_->add(levels)) cut_ = *cut;
      known = cuts_->open();
    }
    while (passed_ < known) pass();
  }
  /// After the last frame.
  void finish() {
    while (!waiting_.empty()) pass();
    close_scene();
  }

 private:
  void pass() {
    if (passed_ == cut_) close_scene();
    last_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    ++passed_;
    ++in_scene_;
    if (static_cast<std::int64_t>(last_.size()) > length_) last_.pop_front();
    if (in_scene_ % length_ == 0) on_clip_(last_);
  }

  void close_scene() {
    if (in_scene_ == 0) return;
    if (in_scene_ % length_ != 0) on_clip_(last_);
    on_scene_();
    last_.clear();
    in_scene_ = 0;
  }

  std::int64_t length_;
  OnClip on_clip_;
  OnScene on_scene_;
  std::optional<vision::SceneCuts> cuts_;
  std::deque<Frame> waiting_;  // not in a scene yet
  std::deque<Frame> last_;     // of the scene, `length_` of them at most
  std::int64_t passed_ = 0, in_scene_ = 0;
  std::int64_t cut_ = -1;  // the last one known
};

}  // namespace svi::vbench
