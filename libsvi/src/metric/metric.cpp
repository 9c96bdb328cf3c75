#include "svi/metric/metric.hpp"

#include "svi/core/check.hpp"

namespace svi {

std::vector<std::string> enum_names(Better) { return {"higher", "lower", "one"}; }

MetricSink::~MetricSink() = default;
MetricSession::~MetricSession() = default;
Metric::~Metric() = default;

void MetricSession::finish(const FilmView&, MetricSink&) {}

std::vector<MetricFile> Metric::needs() const { return {}; }

std::vector<std::string> Metric::weights() const { return {}; }

void Metric::ready(const MetricContext&) {}

double Metric::of_set(std::size_t quantity, const at::Tensor&, const at::Tensor&) const {
  raise<Error>("the metric of ", quantities().at(quantity).name,
               " has a set_value of its own, but no of_set");
}

}  // namespace svi
