#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/pretrained/device.hpp"

namespace svi {

/// What kind of run an INI file describes.
enum class ExperimentKind {
  ablation,  // arms x seeds x held-out scenes on given weights
  pretrain,  // a codec and a base model from nothing, then the base chained on held-out scenes
  critic,    // a quality critic from nothing, judged on held-out scenes
};
inline std::vector<std::string> enum_names(ExperimentKind) {
  return {"ablation", "pretrain", "critic"};
}

/// `[experiment]`: what is asked, and what is run.
struct ExperimentConfig {
  std::string name;
  std::string question;
  ExperimentKind kind = ExperimentKind::ablation;
  std::vector<std::string> plugins;
  std::vector<std::int64_t> seeds = {0};
  std::string results = "results";
  std::string size;
  std::vector<std::string> inputs;

  void describe(OptionVisitor& visit) {
    visit(name, {.key = "name",
                 .help = "names the result folder and file: letters, digits, '_' and '-'"});
    visit(question,
          {.key = "question", .help = "what the experiment is to answer, in one sentence"});
    visit(
        kind,
        {.key = "kind",
         .help = "compare arms on given weights, pretrain a codec and a base, or train the critic "
                 "that [metric.critic] asks"});
    visit(plugins, {.key = "plugins", .help = "plugins to load, by name or path"});
    visit(
        seeds,
        {.key = "seeds", .help = "training seeds; every trained arm runs once per seed", .min = 0});
    visit(results, {.key = "results", .help = "folder under which <name>/ is written"});
    visit(size, {.key = "size", .help = "the [size.NAME] that was applied; written by --size"});
    visit(inputs, {.key = "inputs",
                   .help = "SHA-256 and path of each file that errors are read from; written by a "
                           "run, checked if given"});
  }
  SVI_EXPORT std::string problem() const;
};

/// `[run]`: where and how; nothing here changes what is computed but device and threads, whose
/// kernels round differently.
struct RunConfig {
  DeviceChoice device = DeviceChoice::automatic;
  std::int64_t threads = 1;
  std::int64_t ranks_per_job = 1;
  std::int64_t checkpoint_steps = 250;
  bool activation_checkpointing = false;

  void describe(OptionVisitor& visit) {
    visit(device, {.key = "device", .help = "where tensors live; auto takes a GPU if one is seen"});
    visit(threads, {.key = "threads",
                    .help = "CPU threads per rank; part of what fixes the last bit",
                    .min = 1,
                    .max = 1024});
    visit(ranks_per_job, {.key = "ranks_per_job",
                          .help = "ranks that share one training job (data parallel)",
                          .unit = "ranks",
                          .min = 1,
                          .max = 65536});
    visit(checkpoint_steps, {.key = "checkpoint_steps",
                             .help = "training steps between checkpoints",
                             .unit = "steps",
                             .min = 1,
                             .max = 1e9});
    visit(
        activation_checkpointing,
        {.key = "activation_checkpointing",
         .help = "in training, keep only each block's input and compute the rest again on the way "
                 "back: far less memory for about a third more time, same numbers"});
  }
};

/// `[model]`: the weights an experiment starts from.
struct ModelConfig {
  std::string folder = "pocket";
  std::string dit = "dit.safetensors";
  std::string vae = "vae.safetensors";
  std::int64_t heads = 4;
  std::int64_t text_length = 24;
  std::int64_t text_dim = 64;

  void describe(OptionVisitor& visit) {
    visit(folder,
          {.key = "folder", .help = "folder of the weights; 'pocket' is the embedded default"});
    visit(dit, {.key = "dit", .help = "transformer weights in that folder, safetensors"});
    visit(vae, {.key = "vae", .help = "video codec weights in that folder, safetensors"});
    visit(heads, {.key = "heads",
                  .help = "attention heads; 0 means dim / 128, as in every official model",
                  .min = 0,
                  .max = 1024});
    visit(text_length,
          {.key = "text_length", .help = "text tokens L", .unit = "tokens", .min = 1, .max = 4096});
    visit(text_dim, {.key = "text_dim", .help = "text features D", .min = 4, .max = 16384});
  }
};

/// `[clip]`: the shape of one clip.
struct ClipConfig : ClipShape {
  double fps = 16;

  void describe(OptionVisitor& visit) {
    visit(frames, {.key = "frames",
                   .help = "pixel frames T of a clip: temporal stride x k + 1",
                   .unit = "frames",
                   .min = 1,
                   .max = 10000});
    visit(height,
          {.key = "height", .help = "frame height H", .unit = "px", .min = 8, .max = 16384});
    visit(width, {.key = "width", .help = "frame width W", .unit = "px", .min = 8, .max = 16384});
    visit(fps, {.key = "fps",
                .help = "frame rate written into videos",
                .unit = "1/s",
                .min = 0.1,
                .max = 1000});
  }
};

/// `[pool]`: training clips are encoded once and shared by all arms and seeds.
struct PoolConfig {
  std::int64_t clips = 512;
  std::int64_t seed = 0;

  void describe(OptionVisitor& visit) {
    visit(clips, {.key = "clips",
                  .help = "training clips encoded ahead of training",
                  .unit = "clips",
                  .min = 1,
                  .max = 1e8});
    visit(seed, {.key = "seed", .help = "seed of their content", .min = 0});
  }
};

/// `[evaluation]`: which held-out scenes are rolled out, and what is kept of them.
struct EvaluationConfig {
  std::int64_t scenes = 8;
  std::int64_t first_scene = 0;
  std::int64_t scene_batch = 8;
  std::int64_t videos = 2;
  std::int64_t upscale = 6;

  void describe(OptionVisitor& visit) {
    visit(scenes, {.key = "scenes",
                   .help = "held-out scenes rolled out per arm and seed",
                   .unit = "scenes",
                   .min = 1,
                   .max = 1e6});
    visit(first_scene,
          {.key = "first_scene", .help = "index of the first of them", .min = 0, .max = 1e9});
    visit(scene_batch, {.key = "scene_batch",
                        .help = "scenes rolled out at once, one job each batch",
                        .unit = "scenes",
                        .min = 1,
                        .max = 4096});
    visit(videos, {.key = "videos",
                   .help = "scenes whose films are written as mp4, for the first seed",
                   .unit = "scenes",
                   .min = 0,
                   .max = 1e6});
    visit(upscale,
          {.key = "upscale", .help = "pixels per pixel in those films", .min = 1, .max = 64});
  }
};

}  // namespace svi
