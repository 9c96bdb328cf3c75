#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <svi/metric/metric.hpp>
#include <utility>
#include <vector>

#include "vbench/frame_values.hpp"
#include "vbench/long/long_cuts.hpp"

namespace svi::vbench {

/// What counts once in the number of a set of long films: clips, as upstream's code has it, or
/// films.
enum class LongSet { clips, films };
std::vector<std::string> enum_names(LongSet);

/// How films are cut, and how they become the number of a set.
struct LongOptions : LongCutOptions {
  LongSet set = LongSet::clips;

  void describe(OptionVisitor& visit);
  double of_set(const at::Tensor& rows) const {
    return set == LongSet::clips ? mean_of_values(rows) : mean_of_films(rows);
  }
};

/// A session of VBench-Long: each clip of a film is shown to a session of a short metric, as if it
/// were a film; the film has the mean over clips of what that says of quantity `index`.
std::unique_ptr<MetricSession> long_session(
    std::function<std::unique_ptr<MetricSession>()> open_short, std::size_t index,
    const LongCutOptions& options);

/// The quantity of a long film that belongs to one of a short one: "long_NAME".
Quantity long_quantity(const Quantity& brief);

/// VBench-Long's form of a dimension: quantity `kIndex` of the metric Short.
template <class Short, std::size_t kIndex = 0>
class LongDimension final : public Metric {
 public:
  struct Config {
    typename Short::Config brief;
    LongOptions cut;

    void describe(OptionVisitor& visit) {
      brief.describe(visit);
      cut.describe(visit);
    }
  };

  explicit LongDimension(Config config) : short_(std::move(config.brief)), cut_(config.cut) {}

  std::vector<Quantity> quantities() const override {
    return {long_quantity(short_.quantities().at(kIndex))};
  }
  std::vector<MetricFile> needs() const override { return short_.needs(); }
  void ready(const MetricContext& context) override { short_.ready(context); }
  std::unique_ptr<MetricSession> open() const override {
    return long_session([this] { return short_.open(); }, kIndex, cut_);
  }
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const override {
    return cut_.of_set(shown);
  }

 private:
  Short short_;
  LongOptions cut_;
};

}  // namespace svi::vbench
