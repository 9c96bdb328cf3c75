#include "held_out_clips.hpp"

#include <ATen/ATen.h>

#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

RandomKey draw_key(const Scene& scene, std::uint64_t seed, DiagnosticDraw draw,
                   std::int64_t number = 0) {
  return {seed, Purpose::diagnostic, static_cast<std::uint32_t>(scene.index),
          static_cast<std::uint32_t>(draw) + static_cast<std::uint32_t>(number)};
}

}  // namespace

bool HeldOutClips::any_known() const {
  return std::find(known.begin(), known.end(), true) != known.end();
}

HeldOutClips held_out_clips(const DiagnosticView& view, std::int64_t count, std::int64_t moments,
                            std::uint64_t seed, const std::string& section) {
  const auto last = view.first_scene + count;
  if (last > view.source.scene_count()) {
    raise<ConfigError>("[", section, "] asks for scene ", last - 1, ", but [data] holds ",
                       view.source.scene_count(),
                       "; lower its scenes, or [evaluation] first_scene");
  }
  const auto m = motion_frames(view);
  HeldOutClips clips;
  std::vector<at::Tensor> motions, anchors, truths;
  std::vector<Condition> tracks;
  for (auto index = view.first_scene; index < last; ++index) {
    auto scene = view.source.scene(index, view.studio.shape);
    auto moment = static_cast<std::int64_t>(uniform_index(
        draw_key(scene, seed, DiagnosticDraw::moment), static_cast<std::uint64_t>(moments)));
    auto truth = view.source.truth(index, moment, view.studio.shape.frames, view.studio.shape);
    if (!truth) {
      moment = 0;
      truth = view.source.truth(index, moment, view.studio.shape.frames, view.studio.shape);
    }
    tracks.push_back(track_parts(view.studio, {scene}, moment, view.studio.shape.frames));
    scene.image = scene.image.to(view.device);
    clips.known.push_back(truth.has_value());
    truths.push_back(
        truth ? truth->to(view.device)
              : scene.image.new_zeros({3, view.studio.shape.frames, view.studio.shape.height,
                                       view.studio.shape.width}));
    motions.push_back(truth ? truths.back().narrow(1, 0, m)
                            : scene.image.unsqueeze(1).expand({-1, m, -1, -1}));
    anchors.push_back(scene.image);
    const auto prompt =
        view.studio.method.prompt_of(1, static_cast<std::int64_t>(scene.prompts.size()));
    clips.start.prompts.push_back(scene.prompts[static_cast<std::size_t>(prompt)]);
    clips.scenes.push_back(std::move(scene));
  }
  clips.start.motion = at::stack(motions);
  clips.start.anchor = at::stack(anchors);
  clips.truth = at::stack(truths);
  clips.start.tracks = Condition::join(tracks);
  return clips;
}

ClipStart rows(const ClipStart& start, std::int64_t first, std::int64_t count) {
  return {start.motion.narrow(0, first, count),
          start.anchor.narrow(0, first, count),
          {start.prompts.begin() + first, start.prompts.begin() + first + count},
          start.tracks.map([&](const at::Tensor& part) { return part.narrow(0, first, count); })};
}

at::Tensor clip_noise(const DiagnosticView& view, const HeldOutClips& clips, std::int64_t first,
                      std::int64_t count, std::uint64_t seed, std::int64_t draw) {
  const auto sizes = latent_sizes(view.studio);
  std::vector<at::Tensor> noises;
  for (auto i = first; i < first + count; ++i) {
    const auto& scene = clips.scenes[static_cast<std::size_t>(i)];
    noises.push_back(normal(draw_key(scene, seed, DiagnosticDraw::noise, draw), sizes));
  }
  return at::stack(noises).to(view.device);
}

at::Tensor true_frames(const DiagnosticView& view, const std::vector<Scene>& scenes,
                       std::int64_t first, std::int64_t count, std::vector<bool>& known) {
  std::vector<at::Tensor> frames;
  known.clear();
  for (const auto& scene : scenes) {
    const auto truth = view.source.truth(scene.index, first, count, view.studio.shape);
    known.push_back(truth.has_value());
    frames.push_back(
        truth ? *truth : at::zeros({3, count, view.studio.shape.height, view.studio.shape.width}));
  }
  return at::stack(frames).to(view.device);
}

std::int64_t motion_frames(const DiagnosticView& view) {
  return ClipChain(view.studio, "a [diagnostic.*]").motion_frames();
}

at::Tensor to_full_range(const at::Tensor& frames) {
  return (frames.to(at::kCPU, at::kDouble) + 1) * 0.5;
}

}  // namespace svi
