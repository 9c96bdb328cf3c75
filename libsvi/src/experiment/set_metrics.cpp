#include "set_metrics.hpp"

#include <ATen/ATen.h>

#include <limits>
#include <map>

#include "svi/core/log.hpp"
#include "svi/io/hdf5_file.hpp"
#include "svi/io/result_file.hpp"
#include "svi/metric/frechet.hpp"

namespace svi {
namespace {

/// One quantity's features of all films of an arm and seed, and of the truth.
struct Population {
  std::vector<at::Tensor> shown, truth;  // [scenes, clips, K, D] of each part
};

struct Set {
  Attributes attributes;
  std::map<std::pair<std::size_t, std::size_t>, Population> films;  // by arm and seed
};

std::map<std::string, Set> read_features(const std::filesystem::path& folder, const JobList& list) {
  std::map<std::string, Set> sets;
  for (const auto& job : list.jobs) {
    if (job.stage != Stage::evaluate) continue;
    const auto part = Hdf5File::open(part_path(folder, job.name).string());
    if (!part.contains("/features")) continue;
    for (const auto& path : part.datasets("/features")) {
      const auto name = path.substr(path.rfind('/') + 1);
      auto& set = sets[name];
      if (set.attributes.empty()) set.attributes = part.attributes(path);
      auto& films = set.films[{job.arm, job.seed}];
      films.shown.push_back(part.read(path).flatten(0, 2));
      films.truth.push_back(part.read(kTrueFeatures + name).flatten(0, 2));
    }
  }
  return sets;
}

/// The rows without NaN: what was not shown, or is not known, takes part in nothing.
at::Tensor known_rows(const std::vector<at::Tensor>& parts, std::int64_t clip) {
  std::vector<at::Tensor> rows;
  for (const auto& part : parts) {
    if (clip < part.size(1)) rows.push_back(part.select(1, clip).flatten(0, 1));  // [rows, D]
  }
  if (rows.empty()) return at::empty({0, 1});
  const auto all = at::cat(rows);
  return all.index_select(0, all.isfinite().all(1).nonzero().flatten());
}

/// Distances [arm, seed, clip] of one quantity; `fewest` becomes the size of the smallest set.
at::Tensor distances(const Set& set, const ResultShape& shape, std::int64_t& fewest,
                     std::int64_t& features) {
  auto values = at::full({shape.arms, shape.seeds, shape.clips},
                         std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  auto* out = values.mutable_data_ptr<double>();
  for (const auto& [place, films] : set.films) {
    const auto [arm, seed] = place;
    for (std::int64_t clip = 0; clip < shape.clips; ++clip) {
      const auto shown = known_rows(films.shown, clip), truth = known_rows(films.truth, clip);
      const auto rows = std::min(shown.size(0), truth.size(0));
      if (rows < 2) continue;
      fewest = std::min(fewest, rows);
      features = shown.size(1);
      out[(static_cast<std::int64_t>(arm) * shape.seeds + static_cast<std::int64_t>(seed)) *
              shape.clips +
          clip] = frechet_distance(shown, truth);
    }
  }
  return values;
}

}  // namespace

void write_set_metrics(const std::filesystem::path& folder, const JobList& list,
                       const ResultShape& shape) {
  const auto sets = read_features(folder, list);
  if (sets.empty()) return;
  PartWriter part(folder, "sets");
  for (const auto& [name, set] : sets) {
    constexpr auto kNone = std::numeric_limits<std::int64_t>::max();
    std::int64_t fewest = kNone, features = 0;
    const auto values = distances(set, shape, fewest, features);
    if (fewest != kNone && fewest <= features) {
      SVI_WARN("sets", name, ": sets of ", fewest, " frames for ", features,
               " features: their covariances lack full rank, so distances are too large; compare "
               "arms only with each other, or raise [evaluation] scenes");
    }
    ResultPlace place{"/metrics/set/" + name,
                      {0, 0, 0},
                      {shape.arms, shape.seeds, shape.clips},
                      {"arm", "seed", "clip"},
                      {}};
    for (const auto& key : {"unit", "meaning", "better", "higher_is_better"}) {
      const auto found = set.attributes.find(key);
      if (found != set.attributes.end()) place.attributes.insert(*found);
    }
    place.attributes["features"] = features;
    place.attributes["smallest_set"] = fewest == kNone ? std::int64_t{0} : fewest;
    part.add(place, values);
  }
  part.commit();
}

}  // namespace svi
