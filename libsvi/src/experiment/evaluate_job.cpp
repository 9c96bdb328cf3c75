#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "jobs.hpp"
#include "metric_set.hpp"
#include "models.hpp"
#include "sections.hpp"
#include "set_metrics.hpp"
#include "stoppable_model.hpp"
#include "svi/evaluate/evaluation.hpp"
#include "svi/io/result_file.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/io/video_writer.hpp"
#include "svi/model/lora.hpp"
#include "svi/tensor/levels.hpp"

namespace svi {
namespace {

at::Tensor to_bytes(const at::Tensor& frames) {  // [3, T, H, W] in [-1, 1] -> uint8 [T, 3, H, W]
  return levels_of_frames(frames).transpose(0, 1).contiguous().cpu();
}

/// Writes the films of the first scenes as they grow; the truth beside them where it is known.
class FilmWriters {
 public:
  FilmWriters(const JobContext& context, const EvaluationConfig& evaluation, const ClipConfig& clip,
              const ClipSource& source, const std::vector<Scene>& scenes)
      : source_(source), scenes_(scenes), clip_(clip) {
    const Folders folders(context.plan.folder());
    VideoWriterOptions options;
    options.fps_numerator = std::llround(clip.fps * 1000);
    options.fps_denominator = 1000;
    options.upscale = evaluation.upscale;
    if (context.job.seed != 0) return;
    const auto wanted =
        std::min(evaluation.videos - context.job.scene_offset, context.job.scene_count);
    for (std::int64_t i = 0; i < wanted; ++i) {
      const auto number = context.job.scene_offset + i;
      films_.push_back(
          open(folders.video(context.plan.arms[context.job.arm].name, number), options));
      if (context.job.arm != 0) continue;
      if (source.truth(scenes[static_cast<std::size_t>(i)].index, 0, 1, clip)) {
        truths_.push_back(open(folders.video("truth", number), options));
      }
    }
  }

  void add(const RolledClip& rolled) {
    for (std::size_t i = 0; i < films_.size(); ++i) {
      const auto frames = rolled.frames[static_cast<std::int64_t>(i)];
      films_[i].write(to_bytes(frames));
      if (i >= truths_.size()) continue;
      if (auto truth = source_.truth(scenes_[i].index, rolled.first_frame, frames.size(1), clip_)) {
        truths_[i].write(to_bytes(*truth));
      }
    }
  }

  void close() {
    for (auto& film : films_) film.close();
    for (auto& truth : truths_) truth.close();
  }

 private:
  static VideoWriter open(const std::filesystem::path& path, const VideoWriterOptions& options) {
    std::filesystem::create_directories(path.parent_path());
    return VideoWriter(path.string(), options);
  }

  const ClipSource& source_;
  const std::vector<Scene>& scenes_;
  ClipShape clip_;
  std::vector<VideoWriter> films_, truths_;
};

/// Writes what the metrics said of the job's scenes: each kind of number with its own dimensions.
class ScoreWriter {
 public:
  ScoreWriter(const JobContext& context, PartWriter& part)
      : part_(part),
        start_({static_cast<std::int64_t>(context.job.arm),
                static_cast<std::int64_t>(context.job.seed), context.job.scene_offset}),
        shape_({context.shape.arms, context.shape.seeds, context.shape.scenes}) {}

  /// `numbers` [scenes, ...]; `dimensions` and `lengths` are of what follows the scenes.
  void add(const std::string& group, const Quantity& quantity, const at::Tensor& numbers,
           const std::vector<std::string>& dimensions, const std::vector<std::int64_t>& lengths) {
    if (!numbers.defined()) return;
    ResultPlace place{
        group + quantity.name, start_, shape_, {"arm", "seed", "scene"}, attributes_of(quantity)};
    for (std::size_t d = 0; d < dimensions.size(); ++d) {
      place.start.push_back(0);
      place.shape.push_back(lengths[d]);
      place.dimensions.push_back(dimensions[d]);
    }
    part_.add(place, numbers.unsqueeze(0).unsqueeze(0));
  }

 private:
  PartWriter& part_;
  std::vector<std::int64_t> start_, shape_;
};

void write_scores(const JobContext& context, const FilmScores& scores) {
  PartWriter part(Folders(context.plan.folder()).root(), context.job.name);
  ScoreWriter writer(context, part);
  const auto clips = context.shape.clips;
  for (std::size_t q = 0; q < scores.quantities.size(); ++q) {
    const auto& about = scores.quantities[q];
    const std::vector<std::string> of_clips = {"clip", "frame_of_clip", "feature"};
    const std::vector<std::int64_t> clip_sizes = {clips, about.feature_frames, about.features};
    writer.add(kFeatures, about, scores.features[q], of_clips, clip_sizes);
    writer.add(kTrueFeatures, about, scores.true_features[q], of_clips, clip_sizes);
    writer.add("/metrics/clip/", about, scores.clip[q], {"clip"}, {clips});
    writer.add("/metrics/frame/", about, scores.frame[q], {"frame"}, {context.shape.frames});
    writer.add("/metrics/film/", about, scores.film[q], {}, {});
    const std::vector<std::string> of_films = {"row", "feature"};
    const std::vector<std::int64_t> film_sizes = {about.film_rows, about.film_features};
    writer.add(kFilmFeatures, about, scores.film_features[q], of_films, film_sizes);
    writer.add(kTrueFilmFeatures, about, scores.true_film_features[q], of_films, film_sizes);
  }
  part.commit();
}

}  // namespace

std::unique_ptr<WanDit> load_merged(const JobContext& context) {
  const auto& arm = context.plan.arms[context.job.arm];
  auto dit = load_dit(model_of(context.plan, arm), context.device);
  if (!arm.trained) return dit;
  const auto path =
      Folders(context.plan.folder()).lora(arm, context.plan.experiment.seeds[context.job.seed]);
  const auto tensors = SafetensorsFile::open(path).load_all();
  Lora lora(section<LoraConfig>(arm.document, "lora"), dit->linears(), 0, context.device);
  lora.load(tensors, path.string());
  lora.merge_into(*dit);
  return dit;
}

void run_evaluate(const JobContext& context) {
  if (context.team.rank() != 0) return;  // films are independent: other teams roll out other scenes
  c10::NoGradGuard no_gradients;
  const auto& arm = context.plan.arms[context.job.arm];
  const auto& document = arm.document;
  const auto model = model_of(context.plan, arm);
  const auto vae = load_vae(model, context.device);
  const auto dit = load_merged(context);

  const auto source = context.registry.make<ClipSource>(document, "");
  const auto variant = context.registry.make<Variant>(document, "");
  const auto sampler = context.registry.make<Sampler>(document, "");
  const auto guidance = context.registry.make<Guidance>(document, "");
  const ReadyMetrics ready(context);
  const auto clip = section<ClipConfig>(document, "clip");
  check_clip(clip, vae.config(), dit->config());
  const auto rollout_config = section<RolloutConfig>(document, "rollout");
  const auto evaluation_config = section<EvaluationConfig>(document, "evaluation");

  std::vector<Scene> scenes;
  for (std::int64_t i = 0; i < context.job.scene_count; ++i) {
    const auto index = evaluation_config.first_scene + context.job.scene_offset + i;
    if (index >= source->scene_count()) {
      raise<ConfigError>("[evaluation] asks for scene ", index, ", but [data] holds ",
                         source->scene_count(), "; lower scenes or first_scene");
    }
    auto scene = source->scene(index, clip);
    scene.image = scene.image.to(context.device);
    scenes.push_back(std::move(scene));
  }
  FilmWriters films(context, evaluation_config, clip, *source, scenes);
  const StoppableModel model_until_stop(*dit, context.stop);
  const Rollout rollout(Studio{model_until_stop, vae, text_encoder(model, context.device), *variant,
                               *sampler, *guidance, rollout_config, clip,
                               image_encoder(model, context.device)});
  const auto frames =
      film_frames(rollout_config.clips, clip.frames, variant->plan(1, 1).motion_frames);
  const Evaluation evaluation(rollout, *source, ready.metrics(), clip, rollout_config.clips,
                              frames);
  const auto scores = evaluation.run(scenes, [&](const RolledClip& rolled) {
    films.add(rolled);
    context.progress.update(rolled.clip + 1, rollout_config.clips);
  });
  films.close();
  write_scores(context, scores);
}

}  // namespace svi
