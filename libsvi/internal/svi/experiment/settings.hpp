#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/measure/film_file.hpp"
#include "svi/pretrained/device.hpp"
#include "svi/pretrained/pretrained_config.hpp"

namespace svi {

/// What kind of run an INI file describes.
enum class ExperimentKind {
  ablation,  // arms x seeds x held-out scenes on given weights
  pretrain,  // a codec and a base model from nothing, then the base chained on held-out scenes
  critic,    // a quality critic from nothing, judged on held-out scenes
  measure,   // films in files, measured; no model
};
inline std::vector<std::string> enum_names(ExperimentKind) {
  return {"ablation", "pretrain", "critic", "measure"};
}

/// Whether runs of this kind roll films out.
inline bool makes_films(ExperimentKind kind) {
  return kind == ExperimentKind::ablation || kind == ExperimentKind::pretrain;
}

/// `[experiment]`: what is asked, and what is run.
struct ExperimentConfig {
  std::string name;
  std::string question;
  ExperimentKind kind = ExperimentKind::ablation;
  std::vector<std::string> plugins;
  std::vector<std::int64_t> seeds = {0};
  std::vector<std::string> base;
  std::string results = "results";
  std::string size;
  std::vector<std::string> inputs;

  void describe(OptionVisitor& visit) {
    visit(name,
          {.key = "name",
           .help = "name of the result folder and file: letters, digits, '_' and '-'; without "
                   "one, that of the file"});
    visit(question,
          {.key = "question", .help = "the question that the experiment answers, in one sentence"});
    visit(kind,
          {.key = "kind",
           .help = "ablation: compare arms on given weights; pretrain: train a codec and a "
                   "base model; critic: train the critic of [metric.critic]; measure: measure "
                   "the video files of [films]"});
    visit(plugins, {.key = "plugins", .help = "plugins to load, by name or path"});
    visit(base, {.key = "base",
                 .help = "files that this one extends, relative to it: their sections come first, "
                         "key by key; merged before anything else, hence empty in resolved.ini"});
    visit(
        seeds,
        {.key = "seeds", .help = "training seeds; every trained arm runs once per seed", .min = 0});
    visit(results, {.key = "results", .help = "folder in which svi writes <name>/"});
    visit(size, {.key = "size", .help = "the applied [size.NAME]; --size writes it"});
    visit(inputs, {.key = "inputs",
                   .help = "SHA-256 and path of each file of recorded errors and of each file that "
                           "metrics need; a run writes them, and checks them if given"});
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
    visit(device,
          {.key = "device", .help = "device of the tensors; auto takes a GPU if there is one"});
    visit(threads, {.key = "threads",
                    .help = "CPU threads per rank; another number changes the last bits of results",
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
    visit(activation_checkpointing,
          {.key = "activation_checkpointing",
           .help = "in training, keep only the input of each block and compute the rest again in "
                   "the backward pass: far less memory, about a third more time, same numbers"});
  }
};

/// `[model]` of an experiment: the weights that it starts from, and the texts of small models.
/// Placement, 8 bits and the precision are those of films and diagnostics; training has its own.
struct ModelConfig : PretrainedConfig {
  std::int64_t text_length = 24;
  std::int64_t text_dim = 64;

  ModelConfig() {
    dit = "dit.safetensors";
    vae = "vae.safetensors";
    dtype = ComputeType::fp32;
    heads = 4;
  }

  void describe(OptionVisitor& visit) {
    PretrainedConfig::describe(visit);
    visit(text_length, {.key = "text_length",
                        .help = "text tokens per prompt, L; of weights trained here",
                        .unit = "tokens",
                        .min = 1,
                        .max = 4096});
    visit(text_dim, {.key = "text_dim",
                     .help = "features per text token, D; of weights trained here",
                     .min = 4,
                     .max = 16384});
  }
};

/// `[clip]`: the shape of one clip.
struct ClipConfig : ClipShape {
  ClipConfig() { fps = 16; }

  void describe(OptionVisitor& visit) {
    visit(frames,
          {.key = "frames",
           .help = "pixel frames T of a clip: temporal stride x k + 1, with a whole number k",
           .unit = "frames",
           .min = 1,
           .max = 10000});
    visit(height,
          {.key = "height", .help = "frame height H", .unit = "px", .min = 8, .max = 16384});
    visit(width, {.key = "width", .help = "frame width W", .unit = "px", .min = 8, .max = 16384});
    visit(fps, {.key = "fps",
                .help = "frames per second: clips of real videos are retimed to it, and it "
                        "is written into videos",
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
    visit(seed, {.key = "seed", .help = "seed of the clips' content", .min = 0});
  }
};

/// `[evaluation]`: which held-out scenes are rolled out, and what is kept of them.
struct EvaluationConfig {
  std::int64_t scenes = 8;
  std::int64_t first_scene = 0;
  std::int64_t scene_batch = 8;
  std::int64_t videos = 2;
  std::int64_t upscale = 6;
  bool split = false;
  std::string weights = "data/metrics";

  void describe(OptionVisitor& visit) {
    visit(scenes, {.key = "scenes",
                   .help = "held-out scenes per arm and seed",
                   .unit = "scenes",
                   .min = 1,
                   .max = 1e6});
    visit(
        first_scene,
        {.key = "first_scene", .help = "index of the first held-out scene", .min = 0, .max = 1e9});
    visit(scene_batch, {.key = "scene_batch",
                        .help = "scenes per batch; each batch is one job",
                        .unit = "scenes",
                        .min = 1,
                        .max = 4096});
    visit(videos, {.key = "videos",
                   .help = "scenes whose films svi writes as mp4, for the first seed",
                   .unit = "scenes",
                   .min = 0,
                   .max = 1e6});
    visit(upscale,
          {.key = "upscale",
           .help = "enlargement of those films: each pixel becomes upscale x upscale pixels",
           .min = 1,
           .max = 64});
    visit(split,
          {.key = "split",
           .help = "all ranks of a job ([run] ranks_per_job) compute each pass of the transformer "
                   "together, for one that is too slow for a single rank; off: each job's films "
                   "are made by one rank. Films are equal up to rounding"});
    visit(weights,
          {.key = "weights",
           .help = "folder of the files that metrics need, where [metric.NAME] names none"});
  }
};

/// What becomes of a run with a film that cannot be read.
enum class BrokenFilms {
  stop,  // it ends with the error
  list,  // it goes on without the film, which results name with the reason
};
inline std::vector<std::string> enum_names(BrokenFilms) { return {"stop", "list"}; }

/// `[films]`: the video files that `kind = measure` measures.
struct FilmsConfig {
  std::string path;
  std::string truth;
  std::string prompts;
  double fps = 0;
  FilmColors colors = FilmColors::exact;
  ColorMatrix matrix = ColorMatrix::tagged;
  BrokenFilms broken = BrokenFilms::stop;
  std::string cache;

  void describe(OptionVisitor& visit) {
    visit(path, {.key = "path",
                 .help = "a video, a folder of videos, a pattern such as films/scene*.mp4, a text "
                         "file (.txt) with a video per line, or the results of a run, whose "
                         "recorded films of the arm's name are taken; without arms, each folder in "
                         "it with videos is one"});
    visit(truth, {.key = "truth",
                  .help = "videos of what the films should show, in the same ways, found by their "
                          "names; of a run's results, its videos/truth if there is one"});
    visit(prompts, {.key = "prompts",
                    .help = "prompts of films whose records tell none: a JSON file that maps names "
                            "of films to texts, or 'names': a film is called as its prompt, with a "
                            "number behind it, as VBench has them (a cat-0.mp4)"});
    visit(fps, {.key = "fps",
                .help = "frames per second to which films are retimed; 0: each frame once",
                .unit = "1/s",
                .min = 0,
                .max = 1000});
    visit(colors, {.key = "colors",
                   .help = "exact: frames have the same bits on every processor; fast: by SIMD "
                           "code, a few levels off"});
    visit(matrix,
          {.key = "matrix",
           .help = "what turns Y'CbCr into RGB; tagged: what the file says, BT.601 where it "
                   "says nothing"});
    visit(broken, {.key = "broken",
                   .help = "a film that cannot be read: stop: ends the run; list: is left out, and "
                           "the result file names it with the reason"});
    visit(cache, {.key = "cache",
                  .help = "folder that keeps what metrics say of a film, by the content of both, "
                          "for the next run; empty: nothing is kept"});
  }
};

}  // namespace svi
