#include "set_metrics.hpp"

#include <ATen/ATen.h>

#include <limits>
#include <map>

#include "metric_set.hpp"
#include "svi/core/log.hpp"
#include "svi/io/hdf5_file.hpp"
#include "svi/metric/frechet.hpp"

namespace svi {
namespace {

/// One quantity's features of all films of an arm and seed, and of the truth.
struct Population {
  std::vector<at::Tensor> shown, truth;  // of each part, [scenes, clips, K, D] or [scenes, R, D]
};

/// A quantity whose numbers are those of sets, and the features of all films.
struct Set {
  Quantity quantity;
  bool of_films = false;  // film_features, rather than features
  std::map<std::pair<std::size_t, std::size_t>, Population> films;  // by arm and seed

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
          if (quantity.features > 0) found["clips " + quantity.name] = {quantity, false, {}};
          if (quantity.film_features > 0) found["films " + quantity.name] = {quantity, true, {}};
        }
      }
    }
    std::vector<Set> sets;
    for (auto& [name, set] : found) sets.push_back(std::move(set));
    return sets;
  }

  double value(std::size_t arm, const std::string& name, const at::Tensor& shown,
               const at::Tensor& truth) const {
    for (const auto& [section, metric] : arms_[arm]) {
      const auto quantities = metric->quantities();
      for (std::size_t q = 0; q < quantities.size(); ++q) {
        if (quantities[q].name != name) continue;
        if (quantities[q].set_value == SetValue::own) return metric->of_set(q, shown, truth);
        return frechet_distance(shown, truth);
      }
    }
    return std::numeric_limits<double>::quiet_NaN();
  }

 private:
  std::vector<std::vector<ArmMetric>> arms_;
};

void read_features(const std::filesystem::path& folder, const JobList& list,
                   std::vector<Set>& sets) {
  for (const auto& job : list.jobs) {
    if (!part_exists(folder, job.name)) continue;  // of a job that leaves none
    const auto part = Hdf5File::open(part_path(folder, job.name).string());
    for (auto& set : sets) {
      const auto shown = (set.of_films ? kFilmFeatures : kFeatures) + set.quantity.name;
      const auto truth = (set.of_films ? kTrueFilmFeatures : kTrueFeatures) + set.quantity.name;
      if (!part.contains(shown)) continue;
      auto& films = set.films[{job.arm, job.seed}];
      films.shown.push_back(part.read(shown).flatten(0, 2));  // without arm and seed
      films.truth.push_back(part.read(truth).flatten(0, 2));
    }
  }
}

/// The rows without NaN: what was not shown, or is not known, takes part in nothing. `clip`: only
/// of that index; negative: parts have no clips.
at::Tensor known_rows(const std::vector<at::Tensor>& parts, std::int64_t clip, std::int64_t D) {
  std::vector<at::Tensor> rows;
  for (const auto& part : parts) {
    if (clip < part.size(1))
      rows.push_back((clip < 0 ? part : part.select(1, clip)).flatten(0, 1));  // [rows, D]
  }
  if (rows.empty()) return at::empty({0, D});
  const auto all = at::cat(rows);
  return all.index_select(0, all.isfinite().all(1).nonzero().flatten());
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
    for (std::int64_t clip = 0; clip < clips; ++clip) {
      const auto index = set.of_films ? -1 : clip;
      const auto shown = known_rows(films.shown, index, set.dimension());
      const auto truth = known_rows(films.truth, index, set.dimension());
      const auto rows =
          own && !set.quantity.needs_truth ? shown.size(0) : std::min(shown.size(0), truth.size(0));
      if (rows < (own ? 1 : 2)) continue;
      fewest = std::min(fewest, rows);
      out[(static_cast<std::int64_t>(arm) * seeds + static_cast<std::int64_t>(seed)) * clips +
          clip] = metrics.value(arm, set.quantity.name, shown, truth);
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
  read_features(folder, run.list, sets);
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
