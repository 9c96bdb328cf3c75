#pragma once

// Clips of held-out scenes that the diagnostics start from; private to diagnose/.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "svi/diagnose/diagnostic.hpp"

namespace svi {

/// Draws of one scene: the step of a RandomKey with Purpose::diagnostic. Step 1 is
/// directions.cpp's.
enum class DiagnosticDraw : std::uint32_t { moment = 0, noise = 16 };  // noise, noise + 1, ...

/// One clip per scene, each at a random moment of the scene's film.
struct HeldOutClips {
  std::vector<Scene> scenes;  // N of them; images on the device
  ClipStart start;            // the true frames at that moment
  at::Tensor truth;           // [N, 3, T, H, W]  fp32 in [-1, 1]; zeros where it is not known
  std::vector<bool> known;    // [N]

  std::int64_t count() const { return static_cast<std::int64_t>(scenes.size()); }
  bool any_known() const;
};

/// Clips of `count` scenes from view.first_scene on, that begin at frames 0 .. moments - 1. Where
/// the truth ends before, they begin at frame 0; where it is not known at all, with the scene's
/// image. Throws ConfigError, naming `section`, if there are too few scenes.
HeldOutClips held_out_clips(const DiagnosticView& view, std::int64_t count, std::int64_t moments,
                            std::uint64_t seed, const std::string& section);

/// Rows first .. first + count - 1.
ClipStart rows(const ClipStart& start, std::int64_t first, std::int64_t count);

/// The noise of clips first .. first + count - 1, [count, z, F, h, w] on the device: a function of
/// seed, scene and draw.
at::Tensor clip_noise(const DiagnosticView& view, const HeldOutClips& clips, std::int64_t first,
                      std::int64_t count, std::uint64_t seed, std::int64_t draw);

/// True frames of all scenes, [N, 3, count, H, W] fp32 in [-1, 1] on the device, zeros where they
/// are not known; `known` says where they are.
at::Tensor true_frames(const DiagnosticView& view, const std::vector<Scene>& scenes,
                       std::int64_t first, std::int64_t count, std::vector<bool>& known);

/// Pixel frames that one clip hands to the next.
std::int64_t motion_frames(const DiagnosticView& view);

/// [-1, 1] to [0, 1], fp64 on the CPU: units of the full range.
at::Tensor to_full_range(const at::Tensor& frames);

}  // namespace svi
