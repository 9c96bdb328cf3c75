#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// What a random number is for. Part of the counter, so that draws of one purpose never shift
/// another's, whatever is switched on or off. Values are part of the result format: append, never
/// renumber.
enum class Purpose : std::uint32_t {
  sample_noise = 1,   // n, the flow-matching noise of one training sample
  sample_time = 2,    // index into the training table of sigmas
  inject_noise = 3,   // r_n: is a noise error injected?
  inject_image = 4,   // r_y: is an image (condition) error injected?
  inject_latent = 5,  // r_x: is a latent (video) error injected?
  inject_clean = 6,   // r_c: is the whole sample kept clean?
  recall_noise = 7,   // which banked error
  recall_image = 8,
  recall_latent = 9,
  image_place = 10,     // which latent frames of the banked error
  modulate_noise = 11,  // strength of the recalled error
  modulate_image = 12,
  modulate_latent = 13,
  bank_evict = 14,       // which entry makes room
  bank_keep_clean = 15,  // is a clean sample's error banked?
  data_order = 16,       // which clip a training sample is
  data_content = 17,     // procedural content, crops, anchor frame
  weight_init = 18,
  lora_init = 19,
  rollout_noise = 20,     // initial noise of a generated clip
  rollout_start = 21,     // start of an on-policy rollout
  condition_drop = 22,    // condition or prompt dropped in pretraining
  motion_frames = 23,     // how many motion frames a training sample shows
  bootstrap = 24,         // resampling for confidence intervals
  error_source = 25,      // draws of an error source itself
  error_structure = 26,   // what takes the place of a recalled error's structure
  training_rollout = 27,  // initial noise of a clip that training generates for its errors
  diagnostic = 30,        // start frames, damage and noise of a diagnostic
  damage = 32,            // procedural damage to real frames
  test = 1000,
};

/// Names one independent sequence of random numbers: Philox4x32-10 keyed by the seed, with the
/// counter made of purpose, stream (sample, scene or entry) and step. Never keyed by rank, thread
/// or device, so every rank can draw any number of the run.
struct RandomKey {
  std::uint64_t seed = 0;           // of the run
  Purpose purpose = Purpose::test;  // what the numbers are for
  std::uint32_t stream = 0;         // sample, scene or entry
  std::uint32_t step = 0;           // of training or sampling
};

/// Block `block` of the sequence: four independent 32-bit words (Salmon et al. 2011).
SVI_EXPORT std::array<std::uint32_t, 4> philox(const RandomKey& key, std::uint32_t block);

/// Number `index` of the sequence, uniform in [0, 1) with 53 random bits.
SVI_EXPORT double uniform(const RandomKey& key, std::uint32_t index = 0);

/// Number `index` of the sequence, uniform over 0 .. count-1; `count` >= 1.
SVI_EXPORT std::uint64_t uniform_index(const RandomKey& key, std::uint64_t count,
                                       std::uint32_t index = 0);

/// A random order of 0 .. count - 1: that of the first `count` numbers of the sequence.
SVI_EXPORT std::vector<std::int64_t> permutation(const RandomKey& key, std::int64_t count);

/// Fills `out` with the first `count` numbers of the sequence: U[0, 1) and N(0, 1) in fp32.
SVI_EXPORT void fill_uniform(const RandomKey& key, float* out, std::int64_t count);
SVI_EXPORT void fill_normal(const RandomKey& key, float* out, std::int64_t count);  // N(0, 1)

/// A seed that depends on both arguments and nothing else.
SVI_EXPORT std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t salt);

}  // namespace svi
