#include "film_parts.hpp"

#include <ATen/ATen.h>

#include "set_metrics.hpp"
#include "svi/io/result_file.hpp"

namespace svi {
namespace {

/// Writes what the metrics said of the job's scenes: each kind of number with its own dimensions.
class ScoreWriter {
 public:
  ScoreWriter(const JobContext& context, PartWriter& part)
      : part_(part),
        start_({static_cast<std::int64_t>(context.job.arm),
                static_cast<std::int64_t>(context.job.seed), context.job.scene_offset}),
        shape_(context.axes.lengths({"arm", "seed", "scene"})) {}

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

/// Numbers of each clip, the same for all scenes of the job, as /cost/NAME.
void write_cost(const JobContext& context, PartWriter& part, const std::string& name,
                const std::vector<double>& numbers, const Attributes& attributes) {
  const auto of_clips = at::tensor(numbers, at::kDouble);
  const auto scenes = context.job.scene_count;
  part.add({"/cost/" + name,
            {static_cast<std::int64_t>(context.job.arm),
             static_cast<std::int64_t>(context.job.seed), context.job.scene_offset, 0},
            context.axes.lengths({"arm", "seed", "scene", "clip"}),
            {"arm", "seed", "scene", "clip"},
            attributes},
           of_clips.expand({1, 1, scenes, -1}).contiguous());
}

/// A number of each film, the same for all scenes of the job, as PATH.
void write_film_cost(const JobContext& context, PartWriter& part, const std::string& path,
                     double number, const Attributes& attributes) {
  part.add({path,
            {static_cast<std::int64_t>(context.job.arm),
             static_cast<std::int64_t>(context.job.seed), context.job.scene_offset},
            context.axes.lengths({"arm", "seed", "scene"}),
            {"arm", "seed", "scene"},
            attributes},
           at::full({1, 1, context.job.scene_count}, number, at::kDouble));
}

void write_costs(const JobContext& context, PartWriter& part, const FilmCost& cost) {
  const auto about = [](const char* unit, const char* meaning) {
    return Attributes{{"unit", std::string(unit)}, {"meaning", std::string(meaning)}};
  };
  write_cost(context, part, "evaluations", cost.evaluations,
             about("1", "function evaluations of the model that made the clip"));
  write_cost(context, part, "frames", cost.frames,
             about("frames", "frames that the film shows of the clip"));
  write_film_cost(context, part, "/cost/tokens", cost.tokens,
                  about("tokens", "tokens that the model computed for the film"));
  write_film_cost(context, part, "/timing/seconds", cost.seconds,
                  about("s", "time that making and measuring the film took on this machine"));
  write_film_cost(context, part, "/timing/peak_memory", cost.peak_memory,
                  about("bytes", "highest resident memory of the process that made the film"));
}

}  // namespace

void write_film_parts(const JobContext& context, const FilmScores& scores, const FilmCost& cost,
                      const Attributes& about_job) {
  PartWriter part(Folders(context.plan.folder()).root(), context.job.name);
  ScoreWriter writer(context, part);
  const auto clips = context.axes.length("clip"), frames = context.axes.length("frame");
  for (std::size_t q = 0; q < scores.quantities.size(); ++q) {
    const auto& about = scores.quantities[q];
    const std::vector<std::string> of_clips = {"clip", "frame_of_clip", "feature"};
    const std::vector<std::int64_t> clip_sizes = {clips, about.feature_frames, about.features};
    writer.add(kFeatures, about, scores.features[q], of_clips, clip_sizes);
    writer.add(kTrueFeatures, about, scores.true_features[q], of_clips, clip_sizes);
    writer.add("/metrics/clip/", about, scores.clip[q], {"clip"}, {clips});
    writer.add("/metrics/frame/", about, scores.frame[q], {"frame"}, {frames});
    writer.add("/metrics/film/", about, scores.film[q], {}, {});
    const std::vector<std::string> of_films = {"row", "feature"};
    const std::vector<std::int64_t> film_sizes = {about.film_rows, about.film_features};
    writer.add(kFilmFeatures, about, scores.film_features[q], of_films, film_sizes);
    writer.add(kTrueFilmFeatures, about, scores.true_film_features[q], of_films, film_sizes);
  }
  if (!cost.evaluations.empty()) write_costs(context, part, cost);
  for (const auto& [name, value] : about_job) part.set_attribute(name, value);
  part.commit();
}

}  // namespace svi
