#include "set_metrics.hpp"

#include <ATen/ATen.h>

#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "metric_set.hpp"
#include "svi/core/log.hpp"
#include "svi/io/hdf5_file.hpp"
#include "svi/metric/frechet.hpp"

namespace svi {
namespace {

/// The features of one side of a set, as they come: their moments where these tell all, else every
/// row. What was not shown, or is not known, is NaN and takes part in nothing.
class SetFeatures {
 public:
  SetFeatures(std::int64_t features, bool of_moments) {
    if (of_moments) moments_.emplace(features);
    rows_ = {at::empty({0, features}, at::kDouble)};
  }

  void add(const at::Tensor& rows) {  // [rows, D]
    const auto known = rows.index_select(0, rows.isfinite().all(1).nonzero().flatten());
    count_ += known.size(0);
    if (moments_) {
      moments_->add(known);
    } else {
      rows_.push_back(known.to(at::kDouble));
    }
  }
  std::int64_t count() const { return count_; }
  SetMoments moments() const { return moments_->moments(); }
  at::Tensor rows() const { return at::cat(rows_); }

 private:
  std::optional<RunningMoments> moments_;
  std::vector<at::Tensor> rows_;
  std::int64_t count_ = 0;
};

/// What films show, and what is true there.
struct SetSides {
  SetFeatures shown, truth;
};

/// A quantity whose numbers are those of sets, and the features of all films.
struct Set {
  Quantity quantity;
  bool of_films = false;  // film_features, rather than features
  /// By arm and seed; of each clip, or one of films.
  std::map<std::pair<std::size_t, std::size_t>, std::vector<SetSides>> films = {};

  std::string group() const { return of_films ? "/metrics/film_set/" : "/metrics/set/"; }
  std::int64_t dimension() const { return of_films ? quantity.film_features : quantity.features; }
};

/// The metrics of all arms: of_set is asked of the arm's own.
class Metrics {
 public:
  Metrics(const Plan& plan, const Registry& registry) {
    for (const auto& arm : plan.arms) arms_.push_back(arm_metrics(arm.document, registry));
  }

  /// Every quantity with features, once.
  std::vector<Set> sets() const {
    std::map<std::string, Set> found;  // in the order of names
    for (const auto& arm : arms_) {
      for (const auto& [section, metric] : arm) {
        for (const auto& quantity : metric->quantities()) {
          if (quantity.features > 0) found["clips " + quantity.name] = {quantity, false};
          if (quantity.film_features > 0) found["films " + quantity.name] = {quantity, true};
        }
      }
    }
    std::vector<Set> sets;
    for (auto& [name, set] : found) sets.push_back(std::move(set));
    return sets;
  }

  /// Whether the arm's numbers of the quantity come from moments.
  bool of_moments(std::size_t arm, const Quantity& quantity) const {
    if (quantity.set_value == SetValue::frechet) return true;
    const auto [metric, index] = find(arm, quantity.name);
    return dynamic_cast<const JudgesMoments*>(metric) != nullptr;
  }

  double value(std::size_t arm, const Quantity& quantity, const SetSides& sides) const {
    if (quantity.set_value == SetValue::frechet)
      return frechet_distance(sides.shown.moments(), sides.truth.moments());
    const auto [metric, index] = find(arm, quantity.name);
    if (metric == nullptr) return std::numeric_limits<double>::quiet_NaN();
    if (const auto* judge = dynamic_cast<const JudgesMoments*>(metric))
      return judge->of_moments(index, sides.shown.moments(), sides.truth.moments());
    return metric->of_set(index, sides.shown.rows(), sides.truth.rows());
  }

 private:
  /// The arm's metric that has the quantity, and its index there; null where none has.
  std::pair<const Metric*, std::size_t> find(std::size_t arm, const std::string& name) const {
    for (const auto& [section, metric] : arms_[arm]) {
      const auto quantities = metric->quantities();
      for (std::size_t q = 0; q < quantities.size(); ++q) {
        if (quantities[q].name == name) return {metric.get(), q};
      }
    }
    return {nullptr, 0};
  }

  std::vector<std::vector<ArmMetric>> arms_;
};

/// Adds what the part of one job holds of a set: [scenes, clips, K, D] or [scenes, R, D] each.
void add_features(Set& set, const Job& job, bool of_moments, const at::Tensor& shown,
                  const at::Tensor& truth) {
  auto& films = set.films[{job.arm, job.seed}];
  const auto clips = set.of_films ? 1 : static_cast<std::size_t>(shown.size(1));
  while (films.size() < clips) {
    films.push_back(
        {SetFeatures(set.dimension(), of_moments), SetFeatures(set.dimension(), of_moments)});
  }
  const auto rows = [&](const at::Tensor& all, std::size_t clip) {
    return (set.of_films ? all : all.select(1, static_cast<std::int64_t>(clip))).flatten(0, 1);
  };
  for (std::size_t clip = 0; clip < clips; ++clip) {
    films[clip].shown.add(rows(shown, clip));
    films[clip].truth.add(rows(truth, clip));
  }
}

/// Part by part, in the order of jobs, whichever rank did them.
void read_features(const std::filesystem::path& folder, const JobList& list, const Metrics& metrics,
                   std::vector<Set>& sets) {
  for (const auto& job : list.jobs) {
    if (!part_exists(folder, job.name)) continue;  // of a job that leaves none
    const auto part = Hdf5File::open(part_path(folder, job.name).string());
    for (auto& set : sets) {
      const auto shown = (set.of_films ? kFilmFeatures : kFeatures) + set.quantity.name;
      const auto truth = (set.of_films ? kTrueFilmFeatures : kTrueFeatures) + set.quantity.name;
      if (!part.contains(shown)) continue;
      add_features(set, job, metrics.of_moments(job.arm, set.quantity),
                   part.read(shown).flatten(0, 2),  // without arm and seed
                   part.read(truth).flatten(0, 2));
    }
  }
}

/// Numbers [arm, seed, clip] or [arm, seed] of one quantity; `fewest` becomes the size of the
/// smallest set.
at::Tensor set_values(const Set& set, const Metrics& metrics, const Axes& axes,
                      std::int64_t& fewest) {
  const bool own = set.quantity.set_value == SetValue::own;
  const auto arms = axes.length("arm"), seeds = axes.length("seed");
  const auto clips = set.of_films ? 1 : axes.length("clip");
  auto values =
      at::full({arms, seeds, clips}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  auto* out = values.mutable_data_ptr<double>();
  for (const auto& [place, films] : set.films) {
    const auto [arm, seed] = place;
    auto* row =
        out + (static_cast<std::int64_t>(arm) * seeds + static_cast<std::int64_t>(seed)) * clips;
    for (std::size_t clip = 0; clip < films.size(); ++clip) {
      const auto shown = films[clip].shown.count(), truth = films[clip].truth.count();
      const auto rows = own && !set.quantity.needs_truth ? shown : std::min(shown, truth);
      if (rows < (own ? 1 : 2)) continue;
      fewest = std::min(fewest, rows);
      row[clip] = metrics.value(arm, set.quantity, films[clip]);
    }
  }
  return set.of_films ? values.select(2, 0).contiguous() : values;
}

}  // namespace

Attributes attributes_of(const Quantity& quantity) {
  Attributes attributes = {
      {"unit", quantity.unit},
      {"meaning", quantity.meaning},
      {"better", enum_names(quantity.better).at(static_cast<std::size_t>(quantity.better))}};
  if (quantity.better != Better::one)
    attributes["higher_is_better"] = std::int64_t{quantity.better == Better::higher};
  return attributes;
}

void write_set_metrics(const RunView& run) {
  const Metrics metrics(run.plan, run.registry);
  auto sets = metrics.sets();
  if (sets.empty()) return;
  const auto folder = Folders(run.plan.folder()).root();
  read_features(folder, run.list, metrics, sets);
  std::erase_if(sets, [](const Set& set) { return set.films.empty(); });
  if (sets.empty()) return;
  PartWriter part(folder, "sets");
  for (const auto& set : sets) {
    constexpr auto kNone = std::numeric_limits<std::int64_t>::max();
    std::int64_t fewest = kNone;
    const auto values = set_values(set, metrics, run.axes, fewest);
    const auto features = fewest == kNone ? 0 : set.dimension();
    if (set.quantity.set_value == SetValue::frechet && fewest != kNone && fewest <= features) {
      SVI_WARN("sets", set.quantity.name, ": sets of ", fewest,
               set.of_films ? " vectors for " : " frames for ", features,
               " features: their covariances lack full rank, so distances are too large; compare "
               "arms only with each other, or raise [evaluation] scenes");
    }
    std::vector<std::string> dimensions = {"arm", "seed"};
    if (!set.of_films) dimensions.emplace_back("clip");
    ResultPlace place{set.group() + set.quantity.name,
                      std::vector<std::int64_t>(dimensions.size(), 0), run.axes.lengths(dimensions),
                      dimensions, attributes_of(set.quantity)};
    place.attributes["features"] = features;
    place.attributes["smallest_set"] = fewest == kNone ? std::int64_t{0} : fewest;
    part.add(place, values);
  }
  part.commit();
}

}  // namespace svi
