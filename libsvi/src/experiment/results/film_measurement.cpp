#include "film_measurement.hpp"

#include <algorithm>
#include <set>

#include "metric_set.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/experiment/settings.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

/// Everything that a film's numbers depend on besides the metric.
std::string film_key(const HashedFilm& film, const FilmFileOptions& options) {
  auto key =
      cat("film ", film.sha256, "\ntruth ", film.truth_sha256, "\nfps ", options.fps, "\ncolors ",
          static_cast<int>(options.colors), " ", static_cast<int>(options.matrix), "\nenlargement ",
          film.file.video.enlargement, "\n");
  for (const auto& clip : film.file.clips)
    key += cat("clip ", clip.first_frame, " ", clip.frames, " ", clip.prompt, "\n");
  return key;
}

/// Everything that a metric's numbers depend on besides the film: its options, its files, its code.
std::string metric_key(const JobContext& context, const PresentMetric& present) {
  const auto& document = context.plan.arms[context.job.arm].document;
  const auto type = document.get(present.section, "type").value_or(present.section.substr(7));
  const auto& origin = context.registry.find(Metric::kKind, type).origin;
  auto key = cat("metric ", type, "\nlibrary ", library_sha256(), "\nseed ",
                 context.plan.experiment.seeds[context.job.seed], "\n");
  auto plugins = context.plan.plugins;
  if (context.plan.shipped) plugins.push_back(*context.plan.shipped);
  for (const auto& plugin : plugins) {
    if (origin.starts_with(plugin.name)) key += cat("plugin ", plugin.sha256, "\n");
  }
  for (const auto& entry : document.find(present.section)->entries)
    key += cat(entry.key, " = ", entry.value, "\n");
  for (const auto& [name, file] : present.files) key += cat("file ", name, " ", file.sha256, "\n");
  return key;
}

/// Those of these quantities.
NamedTensors numbers_among(const NamedTensors& numbers, const std::vector<Quantity>& quantities) {
  NamedTensors own;
  for (const auto& named : numbers) {
    const auto name = named.first.substr(named.first.find('/') + 1);
    if (std::any_of(quantities.begin(), quantities.end(),
                    [&](const Quantity& quantity) { return quantity.name == name; }))
      own.push_back(named);
  }
  return own;
}

}  // namespace

FilmMeasurement::FilmMeasurement(const JobContext& context, const FilmFileOptions& options)
    : context_(context),
      options_(options),
      cache_(
          parse_config<FilmsConfig>(context.plan.arms[context.job.arm].document, "films").cache) {
  std::vector<Quantity> all;
  for (const auto& present : present_metrics(context)) {
    keys_.emplace_back(present.section, metric_key(context, present));
    quantities_[present.section] = present.metric->quantities();
    for (const auto& quantity : quantities_[present.section]) all.push_back(quantity);
  }
  scores_ = unmeasured_scores(all, context.job.scene_count, context.axes.length("clip"),
                              context.axes.length("frame"));
}

void FilmMeasurement::add(std::int64_t index, const HashedFilm& film) {
  const auto about = film_key(film, options_);
  std::set<std::string> lacking;
  for (const auto& [section, key] : keys_) {
    const auto kept = cache_.find(about + key);
    if (!kept || !put_numbers(scores_, index, quantities_[section], *kept)) lacking.insert(section);
  }
  if (lacking.empty()) return;
  const ReadyMetrics ready(context_, lacking);
  VideoFilms source({film.file}, options_, [&](std::int64_t) {
    if (context_.stop.requested()) throw JobStopped();
  });
  const auto clips = static_cast<std::int64_t>(film.file.clips.size());
  NamedTensors numbers;
  try {
    numbers = numbers_of(measure_films(source, ready.metrics(), clips, film.file.frames), 0);
  } catch (const IoError& error) {
    throw FilmError(error.what());
  }
  for (const auto& [section, key] : keys_) {
    if (!lacking.contains(section)) continue;
    const auto own = numbers_among(numbers, quantities_[section]);
    SVI_CHECK(put_numbers(scores_, index, quantities_[section], own), section,
              ": its numbers do not fit");
    cache_.keep(about + key, own);
  }
}

}  // namespace svi
