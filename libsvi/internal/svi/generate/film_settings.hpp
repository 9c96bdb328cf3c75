#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/data/clip_source.hpp"

namespace svi {

/// Where a clip's initial noise comes from.
enum class NoiseSource {
  svi,    // a function of seed and clip alone, the experiments' own
  torch,  // torch.randn of a CPU generator seeded with seed + seed_stride x clip: the reference's
};
inline std::vector<std::string> enum_names(NoiseSource) { return {"svi", "torch"}; }

/// `[film]`: size, time and noise of a film, and how its file is encoded.
struct FilmConfig : ClipShape {
  std::int64_t scene = 0;
  std::int64_t seed = 0;
  NoiseSource noise = NoiseSource::torch;
  std::int64_t seed_stride = 42;
  std::int64_t crf = 18;
  std::int64_t upscale = 1;
  bool tile = false;

  FilmConfig() {
    frames = 81;
    height = 480;
    width = 832;
    fps = 16;
  }

  void describe(OptionVisitor& visit) {
    visit(frames, {.key = "frames",
                   .help = "pixel frames T of a clip: temporal stride x k + 1; 81 in Wan 2.1",
                   .unit = "frames",
                   .min = 5,
                   .max = 10000});
    visit(height,
          {.key = "height", .help = "frame height H", .unit = "px", .min = 8, .max = 16384});
    visit(width, {.key = "width", .help = "frame width W", .unit = "px", .min = 8, .max = 16384});
    visit(fps,
          {.key = "fps",
           .help = "frames per second of the file; Wan 2.1 makes 16, a larger number plays faster; "
                   "a video that the film continues is retimed to it",
           .unit = "1/s",
           .min = 0.1,
           .max = 1000});
    visit(scene, {.key = "scene",
                  .help = "where no image is given: the scene of the weights' world that the film "
                          "starts from; further films start from the next ones",
                  .min = 0,
                  .max = 1e9});
    visit(seed, {.key = "seed", .help = "seed of the first clip's noise", .min = 0});
    visit(noise, {.key = "noise",
                  .help = "svi: noise as in experiments; torch: that of the Python reference"});
    visit(seed_stride, {.key = "seed_stride",
                        .help = "with noise = torch, clip i uses seed + seed_stride x i; 0 gives "
                                "all clips the same noise, which is known to accumulate artefacts",
                        .min = 0,
                        .max = 1e9});
    visit(crf, {.key = "crf",
                .help = "constant rate factor of x264: 0 lossless, 18 good, 51 worst",
                .min = 0,
                .max = 51});
    visit(tile, {.key = "tile",
                 .help = "decode in overlapping tiles of 30 x 52 latent pixels with blended seams: "
                         "less memory"});
    visit(upscale, {.key = "upscale",
                    .help = "enlargement of the film: each pixel becomes upscale x upscale pixels",
                    .min = 1,
                    .max = 64});
  }
};

}  // namespace svi
