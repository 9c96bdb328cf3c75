#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "jobs.hpp"
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

std::vector<std::unique_ptr<Metric>> make_metrics(const Document& document,
                                                  const Registry& registry) {
  std::vector<std::unique_ptr<Metric>> metrics;
  for (const auto& name : names_below(document, kMetricPrefix)) {
    metrics.push_back(
        registry.make<Metric>(document, name, nullptr, std::string(kMetricPrefix) + name));
  }
  return metrics;
}

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

Attributes attributes_of(const Quantity& quantity) {
  Attributes attributes = {
      {"unit", quantity.unit},
      {"meaning", quantity.meaning},
      {"better", enum_names(quantity.better).at(static_cast<std::size_t>(quantity.better))}};
  if (quantity.better != Better::one)
    attributes["higher_is_better"] = std::int64_t{quantity.better == Better::higher};
  return attributes;
}

/// What write_set_metrics makes its numbers of: attributes are those of the number.
void write_features(const JobContext& context, PartWriter& part, const FilmScores& scores,
                    std::size_t q) {
  const auto& s = context.shape;
  const auto& quantity = scores.quantities[q];
  const auto add = [&](const char* group, const at::Tensor& features) {
    part.add({group + quantity.name,
              {static_cast<std::int64_t>(context.job.arm),
               static_cast<std::int64_t>(context.job.seed), context.job.scene_offset, 0, 0, 0},
              {s.arms, s.seeds, s.scenes, s.clips, quantity.feature_frames, quantity.features},
              {"arm", "seed", "scene", "clip", "frame_of_clip", "feature"},
              attributes_of(quantity)},
             features.unsqueeze(0).unsqueeze(0));
  };
  add(kFeatures, scores.features[q]);
  add(kTrueFeatures, scores.true_features[q]);
}

void write_scores(const JobContext& context, const FilmScores& scores) {
  PartWriter part(Folders(context.plan.folder()).root(), context.job.name);
  const auto& s = context.shape;
  const auto arm = static_cast<std::int64_t>(context.job.arm),
             seed = static_cast<std::int64_t>(context.job.seed);
  for (std::size_t q = 0; q < scores.quantities.size(); ++q) {
    const auto& quantity = scores.quantities[q];
    const auto attributes = attributes_of(quantity);
    if (quantity.features > 0) {
      write_features(context, part, scores, q);
      continue;
    }
    part.add({"/metrics/clip/" + quantity.name,
              {arm, seed, context.job.scene_offset, 0},
              {s.arms, s.seeds, s.scenes, s.clips},
              {"arm", "seed", "scene", "clip"},
              attributes},
             scores.clip[q].unsqueeze(0).unsqueeze(0));
    if (!quantity.per_frame) continue;
    part.add({"/metrics/frame/" + quantity.name,
              {arm, seed, context.job.scene_offset, 0},
              {s.arms, s.seeds, s.scenes, s.frames},
              {"arm", "seed", "scene", "frame"},
              attributes},
             scores.frame[q].unsqueeze(0).unsqueeze(0));
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
  const auto metrics = make_metrics(document, context.registry);
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
  const Evaluation evaluation(rollout, *source, metrics, clip, rollout_config.clips, frames);
  const auto scores = evaluation.run(scenes, [&](const RolledClip& rolled) {
    films.add(rolled);
    context.progress.update(rolled.clip + 1, rollout_config.clips);
  });
  films.close();
  write_scores(context, scores);
}

}  // namespace svi
