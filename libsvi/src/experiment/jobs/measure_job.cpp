#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <optional>

#include "experiment/plan/films.hpp"
#include "experiment/results/film_measurement.hpp"
#include "experiment/results/film_parts.hpp"
#include "experiment/results/set_metrics.hpp"
#include "kinds.hpp"
#include "models.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/sha256.hpp"
#include "svi/io/result_file.hpp"
#include "svi/measure/film_file.hpp"

namespace svi {
namespace {

// Attributes of parts, datasets of the result: lines of text.
constexpr const char* kFilmFiles = "film_files";      // hash and path
constexpr const char* kBrokenFilms = "broken_films";  // path, tabulator, reason

FilmFileOptions film_options(const Document& document) {
  const auto films = section<FilmsConfig>(document, "films");
  return {.clip_frames = section<ClipConfig>(document, "clip").frames,
          .fps = films.fps,
          .colors = films.colors,
          .matrix = films.matrix};
}

bool goes_on(const Document& document) {
  return section<FilmsConfig>(document, "films").broken == BrokenFilms::list;
}

/// One line of kBrokenFilms: the reason without the path that it begins with.
std::string broken_line(const std::string& path, const IoError& error) {
  std::string reason = error.what();
  if (reason.starts_with(path + ": ")) reason.erase(0, path.size() + 2);
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  return path + "\t" + reason;
}

/// The lines that the parts of all jobs hold under a name, in the order of jobs.
std::string lines_of_parts(const RunView& run, const std::string& name) {
  std::string lines;
  for (const auto& job : run.list.jobs) {
    const auto about = part_attributes(run.plan.folder(), job.name);
    const auto found = about.find(name);
    if (found == about.end()) continue;
    for (const auto& line : std::get<std::vector<std::string>>(found->second)) lines += line + "\n";
  }
  return lines;
}

/// A film of a job, open, with the hashes of its files as lines behind `hashes`.
HashedFilm hashed_film(const NamedFilm& named, const FilmFileOptions& options,
                       std::vector<std::string>& hashes) {
  HashedFilm film{open_film(named.path, named.truth, options), sha256_file(named.path), ""};
  for (auto& clip : film.file.clips) {
    if (clip.prompt.empty()) clip.prompt = named.prompt;
  }
  hashes.push_back(film.sha256 + " " + named.path);
  if (!named.truth.empty()) {
    film.truth_sha256 = sha256_file(named.truth);
    hashes.push_back(film.truth_sha256 + " " + named.truth);
  }
  return film;
}

class MeasureJobs final : public JobKind {
 public:
  const char* name() const override { return "measure"; }
  std::vector<Job> list(const Plan& plan) const override;
  std::vector<ResultScale> axes(const Plan& plan, const Registry& registry) const override;
  void run(const JobContext& context) const override;
  void finish(const RunView& run, ResultHeader& header) const override;
};

/// The films of an arm are those of its name's files; where it has none of a scene, the film is
/// empty.
std::vector<Job> MeasureJobs::list(const Plan& plan) const {
  std::vector<Job> jobs;
  if (plan.experiment.kind != ExperimentKind::measure) return jobs;
  const auto scenes = static_cast<std::int64_t>(film_names(plan).size());
  for (std::size_t a = 0; a < plan.arms.size(); ++a) {
    const auto& arm = plan.arms[a];
    const auto batch = section<EvaluationConfig>(arm.document, "evaluation").scene_batch;
    for (std::int64_t first = 0; first < scenes; first += batch) {
      const auto count = std::min(batch, scenes - first);
      jobs.push_back({.name = cat("measure-", safe_name(arm.name), "-", first),
                      .arm = a,
                      .cost = static_cast<double>(count),
                      .scene_offset = first,
                      .scene_count = count});
    }
  }
  return jobs;
}

/// As long as the longest film: shorter ones leave the rest of their row undefined. Throws where no
/// film can be read.
std::vector<ResultScale> MeasureJobs::axes(const Plan& plan, const Registry&) const {
  std::int64_t clips = 0, frames = 0;
  std::vector<double> rates;
  std::string broken;
  for (const auto& arm : plan.arms) {
    const auto options = film_options(arm.document);
    for (const auto& named : films_of(arm)) {
      try {
        const auto film = open_film(named.path, named.truth, options);
        clips = std::max(clips, static_cast<std::int64_t>(film.clips.size()));
        frames = std::max(frames, film.frames);
        rates.push_back(film.fps);
      } catch (const IoError& error) {
        if (!goes_on(arm.document)) throw;
        if (broken.empty()) broken = error.what();
      }
    }
  }
  if (rates.empty()) raise<IoError>(broken);
  auto frame = counted_axis("frame", frames);
  const bool equal = std::equal(rates.begin() + 1, rates.end(), rates.begin());
  if (equal && rates.front() > 0) frame.attributes = {{"fps", rates.front()}};
  return {{"scene", film_names(plan)}, counted_axis("clip", clips), frame};
}

void MeasureJobs::run(const JobContext& context) const {
  if (context.team.rank() != 0) return;  // films are independent: other teams measure other films
  const c10::NoGradGuard no_gradients;
  const auto& arm = context.plan.arms[context.job.arm];
  const auto names = film_names(context.plan);
  const auto named = films_of(arm);
  const auto options = film_options(arm.document);
  FilmMeasurement measurement(context, options);
  std::vector<std::string> hashes, broken;
  const auto leave_out = [&](const NamedFilm& film, const IoError& error) {
    if (!goes_on(arm.document)) throw;  // the error at hand
    SVI_WARN("measure", error.what(), "; the film is left out");
    broken.push_back(broken_line(film.path, error));
  };
  for (std::int64_t i = 0; i < context.job.scene_count; ++i) {
    if (context.stop.requested()) throw JobStopped();
    context.progress.update(i, context.job.scene_count);
    const auto& name = names[static_cast<std::size_t>(context.job.scene_offset + i)];
    const auto found = std::find_if(named.begin(), named.end(),
                                    [&](const NamedFilm& film) { return film.name == name; });
    if (found == named.end()) continue;
    std::optional<HashedFilm> film;
    try {
      film = hashed_film(*found, options, hashes);
    } catch (const IoError& error) {
      leave_out(*found, error);
      continue;
    }
    try {
      measurement.add(i, *film);
    } catch (const FilmError& error) {  // other IoErrors are of files that metrics need
      leave_out(*found, error);
    }
  }
  Attributes about = {{kFilmFiles, hashes}};
  if (!broken.empty()) about[kBrokenFilms] = broken;
  write_film_parts(context, measurement.scores(), {}, about);
}

void MeasureJobs::finish(const RunView& run, ResultHeader& header) const {
  write_set_metrics(run);
  header.texts[kFilmFiles] = lines_of_parts(run, kFilmFiles);
  const auto broken = lines_of_parts(run, kBrokenFilms);
  if (!broken.empty()) header.texts[kBrokenFilms] = broken;
}

}  // namespace

std::shared_ptr<const JobKind> measure_jobs() { return std::make_shared<MeasureJobs>(); }

}  // namespace svi
