#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "svi/io/result_file.hpp"

namespace svi::result_fixture {

inline constexpr std::int64_t kSeeds = 3, kScenes = 2, kClips = 4;
inline const std::vector<std::string> kArms = {"base", "erft"};

inline double value_of(std::int64_t arm, std::int64_t seed, std::int64_t scene, std::int64_t clip) {
  return static_cast<double>(((arm * 10 + seed) * 10 + scene) * 10 + clip) / 7;
}

inline ResultHeader header() {
  return {.name = "study",
          .attributes = {{"created", std::string("2025-01-01T00:00:00Z")}},
          .texts = {{"original_ini", "[experiment]\nname = study\n"},
                    {"resolved_ini", "[experiment]\n"}},
          .provenance = {{"commit", std::string("abc")}, {"ranks", std::int64_t{2}}},
          .scales = {{"arm", kArms, {}},
                     {"seed", std::vector<std::int64_t>{0, 1, 2}, {}},
                     {"scene", std::vector<std::string>{"meadow", "sea"}, {}},
                     {"clip", std::vector<std::int64_t>{0, 1, 2, 3}, {}},
                     {"time", std::vector<double>{0, 0.5}, {{"unit", std::string("s")}}}}};
}

/// One part per arm and seed; the last is left out, as if its job had not been run.
inline std::string write_part(const std::filesystem::path& folder, std::int64_t arm,
                              std::int64_t seed) {
  const auto job = kArms[static_cast<std::size_t>(arm)] + "-" + std::to_string(seed);
  PartWriter part(folder, job);
  for (std::int64_t scene = 0; scene < kScenes; ++scene) {
    const auto values = at::empty({kClips}, at::kDouble);
    for (std::int64_t clip = 0; clip < kClips; ++clip)
      values[clip] = value_of(arm, seed, scene, clip);
    part.add({.path = "/metrics/clip/psnr",
              .start = {arm, seed, scene, 0},
              .shape = {2, kSeeds, kScenes, kClips},
              .dimensions = {"arm", "seed", "scene", "clip"},
              .attributes = {{"unit", std::string("dB")}, {"higher_is_better", std::int64_t{1}}}},
             values);
  }
  if (seed == 0) {
    part.add(
        {.path = "/showcase/video",
         .start = {arm, 0, 0, 0, 0, 0},
         .shape = {2, 1, 5, 32, 48, 3},
         .dimensions = {"arm", "showcase_scene", "showcase_frame", "height", "width", "channel"}},
        (at::arange(5 * 32 * 48 * 3) + arm).remainder(251).to(at::kByte).view({5, 32, 48, 3}));
  }
  part.set_attribute("settings", std::string("hash-") + job);
  part.commit();
  return job;
}

inline void write_all_parts(const std::filesystem::path& folder) {
  write_result_header(folder, header());
  for (std::int64_t arm = 0; arm < 2; ++arm) {
    for (std::int64_t seed = 0; seed < kSeeds; ++seed) {
      if (arm == 1 && seed == kSeeds - 1) continue;
      write_part(folder, arm, seed);
    }
  }
}

}  // namespace svi::result_fixture
