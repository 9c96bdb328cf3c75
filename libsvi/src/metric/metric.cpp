#include "svi/metric/metric.hpp"

namespace svi {

std::vector<std::string> enum_names(Better) { return {"higher", "lower", "one"}; }

MetricSink::~MetricSink() = default;
MetricSession::~MetricSession() = default;
Metric::~Metric() = default;

}  // namespace svi
