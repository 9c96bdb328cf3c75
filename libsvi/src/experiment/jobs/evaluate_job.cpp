#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "experiment/results/film_parts.hpp"
#include "experiment/results/metric_set.hpp"
#include "experiment/results/set_metrics.hpp"
#include "kinds.hpp"
#include "models.hpp"
#include "stoppable_model.hpp"
#include "svi/core/clock.hpp"
#include "svi/core/peak_memory.hpp"
#include "svi/evaluate/evaluation.hpp"
#include "svi/io/result_file.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/io/video_writer.hpp"
#include "svi/measure/film_file.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/lora_files.hpp"
#include "svi/model/wan/split_model.hpp"
#include "svi/parallel/collective.hpp"
#include "svi/tensor/levels.hpp"

namespace svi {
namespace {

at::Tensor to_bytes(const at::Tensor& frames) {  // [3, T, H, W] in [-1, 1] -> uint8 [T, 3, H, W]
  return levels_of_frames(frames).transpose(0, 1).contiguous().cpu();
}

/// Writes the films of the first scenes as they grow, and their records; the truth beside them
/// where it is known.
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
      paths_.push_back(folders.video(context.plan.arms[context.job.arm].name, number));
      films_.push_back(open(paths_.back(), options));
      records_.push_back({clip.height, clip.width, evaluation.upscale});
      if (context.job.arm != 0) continue;
      if (source.truth(scenes[static_cast<std::size_t>(i)].index, 0, 1, clip)) {
        truth_paths_.push_back(folders.video("truth", number));
        truths_.push_back(open(truth_paths_.back(), options));
      }
    }
  }

  void add(const RolledClip& rolled) {
    for (std::size_t i = 0; i < films_.size(); ++i) {
      const auto frames = rolled.frames[static_cast<std::int64_t>(i)];
      films_[i].write(to_bytes(frames));
      records_[i].clips.push_back({rolled.first_frame, frames.size(1), rolled.prompts[i]});
      if (i >= truths_.size()) continue;
      if (auto truth = source_.truth(scenes_[i].index, rolled.first_frame, frames.size(1), clip_)) {
        truths_[i].write(to_bytes(*truth));
      }
    }
  }

  void close() {
    for (auto& film : films_) film.close();
    for (auto& truth : truths_) truth.close();
    for (std::size_t i = 0; i < films_.size(); ++i) write_film_record(paths_[i], records_[i]);
    for (std::size_t i = 0; i < truths_.size(); ++i)
      write_film_record(truth_paths_[i], records_[i]);
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
  std::vector<std::filesystem::path> paths_, truth_paths_;
  std::vector<FilmRecord> records_;  // of films_
};

class EvaluateJobs final : public JobKind {
 public:
  const char* name() const override { return "evaluate"; }
  bool of_arm_and_seed() const override { return true; }
  std::vector<Job> list(const Plan& plan) const override;
  std::vector<ResultScale> axes(const Plan& plan, const Registry& registry) const override;
  void run(const JobContext& context) const override;
  void finish(const RunView& run, ResultHeader&) const override { write_set_metrics(run); }
};

std::vector<Job> EvaluateJobs::list(const Plan& plan) const {
  std::vector<Job> jobs;
  if (!makes_films(plan.experiment.kind)) return jobs;
  for (std::size_t a = 0; a < plan.arms.size(); ++a) {
    const auto& arm = plan.arms[a];
    const auto config = section<EvaluationConfig>(arm.document, "evaluation");
    const auto clips = static_cast<double>(integer(arm.document, "rollout", "clips"));
    for (std::size_t s = 0; s < seeds_of(plan, arm); ++s) {
      for (std::int64_t first = 0; first < config.scenes; first += config.scene_batch) {
        const auto count = std::min(config.scene_batch, config.scenes - first);
        jobs.push_back(
            {.name = cat("eval-", safe_name(arm.name), "-s", plan.experiment.seeds[s], "-", first),
             .arm = a,
             .seed = s,
             .after = before_films(plan, a, s),
             .cost = clips * static_cast<double>(count) * 0.2,
             .scene_offset = first,
             .scene_count = count});
      }
    }
  }
  return jobs;
}

std::vector<ResultScale> EvaluateJobs::axes(const Plan& plan, const Registry& registry) const {
  std::int64_t scene_count = 0, clips = 0, frames = 0;
  for (const auto& arm : plan.arms) {
    const auto clips_here = integer(arm.document, "rollout", "clips");
    const auto method = registry.make<Method>(arm.document, "");
    scene_count = std::max(scene_count, integer(arm.document, "evaluation", "scenes"));
    clips = std::max(clips, clips_here);
    frames =
        std::max(frames, method->frames(section<ClipConfig>(arm.document, "clip"), clips_here));
  }
  const auto& document = plan.arms.front().document;
  const auto source = registry.make<ClipSource>(document, "");
  const auto first = section<EvaluationConfig>(document, "evaluation").first_scene;
  const auto clip = section<ClipConfig>(document, "clip");
  std::vector<std::string> scenes;
  for (std::int64_t i = 0; i < scene_count; ++i)
    scenes.push_back(source->scene(first + i, clip).name);
  auto frame = counted_axis("frame", frames);
  frame.attributes = {{"fps", clip.fps}};
  // Every such run has an axis of training steps, be it empty.
  return {{"scene", std::move(scenes)},
          counted_axis("clip", clips),
          frame,
          counted_axis("step", integer(document, "training", "steps"))};
}

}  // namespace

LabelledExtensions arm_extensions(const Registry& registry, const Document& document,
                                  const WanDit& dit, std::uint64_t seed, const at::Device& device) {
  auto extensions = make_extensions(registry, document);
  for (auto& [label, extension] : extensions) {
    extension->build(label, dit.extension_host(), seed);
    const auto& file = extension->options().file;
    if (!file.empty()) extension->load_file(file);
    extension->to(device);
  }
  return extensions;
}

std::unique_ptr<WanDit> load_merged(const JobContext& context) {
  const auto& arm = context.plan.arms[context.job.arm];
  const Folders folders(context.plan.folder());
  const auto seed = context.plan.experiment.seeds[context.job.seed];
  auto opener = dit_opener(model_of(context.plan, arm), context.device);
  std::vector<WeightedLora> own;
  if (arm.trained) {
    const auto path = folders.lora(arm, seed);
    const auto linears = WanDit(opener.sizes(), at::TensorOptions(at::kMeta)).linears();
    Lora lora(section<LoraConfig>(arm.document, "lora"), linears, 0, at::Device(at::kCPU));
    lora.load(SafetensorsFile::open(path).load_all(), path.string());
    own.push_back({LoraFile::of(lora, path.string()), 1});
  }
  auto dit = opener.for_films(own);
  for (const auto& [label, extension] :
       arm_extensions(context.registry, arm.document, *dit, static_cast<std::uint64_t>(seed),
                      context.device)) {
    if (arm.trained) extension->load_file(folders.extension(arm, seed, label));
    dit->attach(extension);
  }
  return dit;
}

namespace {

std::vector<Scene> scenes_of(const JobContext& context, const EvaluationConfig& config,
                             const ClipSource& source, const ClipConfig& clip) {
  std::vector<Scene> scenes;
  for (std::int64_t i = 0; i < context.job.scene_count; ++i) {
    const auto index = config.first_scene + context.job.scene_offset + i;
    if (index >= source.scene_count()) {
      raise<ConfigError>("[evaluation] asks for scene ", index, ", but [data] holds ",
                         source.scene_count(), "; lower scenes or first_scene");
    }
    auto scene = source.scene(index, clip);
    scene.image = scene.image.to(context.device);
    scenes.push_back(std::move(scene));
  }
  return scenes;
}

/// Films of the job's scenes by `dit`, whose passes `velocities` computes; measures and writes
/// them.
void make_films(const JobContext& context, const WanDit& dit, const VelocityModel& velocities) {
  const auto& arm = context.plan.arms[context.job.arm];
  const auto& document = arm.document;
  const auto model = model_of(context.plan, arm);
  const auto vae = load_vae(model, context.device);
  const auto source = context.registry.make<ClipSource>(document, "");
  const auto method = context.registry.make<Method>(document, "");
  const auto sampler = context.registry.make<Sampler>(document, "");
  const auto guidance = context.registry.make<Guidance>(document, "");
  const ReadyMetrics ready(context);
  const auto clip = section<ClipConfig>(document, "clip");
  check_clip(clip, vae.config(), dit.config());
  const auto rollout_config = section<RolloutConfig>(document, "rollout");
  const auto evaluation_config = section<EvaluationConfig>(document, "evaluation");
  const auto scenes = scenes_of(context, evaluation_config, *source, clip);
  FilmWriters films(context, evaluation_config, clip, *source, scenes);
  const StoppableModel model_until_stop(velocities, context.stop);
  const Studio studio{
      model_until_stop, vae,      text_encoder(model, context.device, context.registry),
      *method,          *sampler, *guidance,
      rollout_config,   clip,     image_encoder(model, context.device),
      dit.track_parts()};
  const Evaluation evaluation(studio, *source, ready.metrics());
  FilmCost cost;
  const PeakMemory peak;
  const Stopwatch watch;
  const auto scores = evaluation.run(scenes, [&](const RolledClip& rolled) {
    cost.evaluations.push_back(static_cast<double>(rolled.own_evaluations));
    cost.frames.push_back(static_cast<double>(rolled.frames.size(2)));
    films.add(rolled);
    context.progress.update(rolled.clip + 1, rollout_config.clips);
  });
  films.close();
  const auto film_count = static_cast<double>(scenes.size());
  cost.tokens = static_cast<double>(dit.tokens()) / film_count;
  cost.seconds = watch.seconds() / film_count;
  cost.peak_memory = static_cast<double>(peak.bytes());
  write_film_parts(context, scores, cost);
}

void EvaluateJobs::run(const JobContext& context) const {
  const auto& document = context.plan.arms[context.job.arm].document;
  const bool together =
      section<EvaluationConfig>(document, "evaluation").split && context.team.size() > 1;
  // Films are independent: other teams roll out other scenes.
  if (context.team.rank() != 0 && !together) return;
  const c10::NoGradGuard no_gradients;
  const auto dit = load_merged(context);
  if (!together) return make_films(context, *dit, *dit);
  dit->split_over(context.team, context.registry.make<Collective>(document, ""));
  if (context.team.rank() != 0) return compute_along(*dit, context.team, context.stop);
  make_films(context, *dit, SplitModel(*dit, context.team));
}

}  // namespace

std::shared_ptr<const JobKind> evaluate_jobs() { return std::make_shared<EvaluateJobs>(); }

}  // namespace svi
