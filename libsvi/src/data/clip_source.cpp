#include "svi/data/clip_source.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"

namespace svi {
namespace {

void check_shape(const ClipShape& shape) {
  SVI_CHECK(shape.frames >= 1 && shape.height >= 1 && shape.width >= 1, "a clip of ", shape.frames,
            " frames of ", shape.height, " x ", shape.width, " pixels is empty");
}

}  // namespace

ClipSource::~ClipSource() = default;

Clip ClipSource::training_clip(std::uint64_t seed, std::int64_t draw,
                               const ClipShape& shape) const {
  check_shape(shape);
  SVI_CHECK(draw >= 0, "draw ", draw, " is negative");
  auto clip = do_training_clip(seed, draw, shape);
  const std::vector<std::int64_t> video = {3, shape.frames, shape.height, shape.width};
  const std::vector<std::int64_t> anchor = {3, shape.height, shape.width};
  SVI_CHECK(clip.video.sizes() == at::IntArrayRef(video), "a clip of sizes ", clip.video.sizes(),
            ", not ", at::IntArrayRef(video));
  SVI_CHECK(clip.anchor.sizes() == at::IntArrayRef(anchor), "an anchor of sizes ",
            clip.anchor.sizes(), ", not ", at::IntArrayRef(anchor));
  for (const auto& name : clip.tracks.names()) {
    if (clip.tracks.at_end(name)) continue;
    SVI_CHECK(clip.tracks[name].size(0) == shape.frames, "track ", name, " of a clip of ",
              shape.frames, " frames has ", clip.tracks[name].size(0));
  }
  return clip;
}

Scene ClipSource::scene(std::int64_t index, const ClipShape& shape) const {
  check_shape(shape);
  SVI_CHECK(index >= 0 && index < scene_count(), "there is no held-out scene ", index, " of ",
            scene_count());
  auto scene = do_scene(index, shape);
  SVI_CHECK(!scene.prompts.empty(), "scene ", index, " has no prompt");
  return scene;
}

std::optional<at::Tensor> ClipSource::truth(std::int64_t index, std::int64_t first,
                                            std::int64_t count, const ClipShape& shape) const {
  check_shape(shape);
  SVI_CHECK(index >= 0 && index < scene_count(), "there is no held-out scene ", index, " of ",
            scene_count());
  SVI_CHECK(first >= 0 && count >= 1, "no film has ", count, " frames from frame ", first);
  return do_truth(index, first, count, shape);
}

std::optional<at::Tensor> ClipSource::do_truth(std::int64_t, std::int64_t, std::int64_t,
                                               const ClipShape&) const {
  return std::nullopt;
}

}  // namespace svi
