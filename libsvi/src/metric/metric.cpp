#include "svi/metric/metric.hpp"

namespace svi {

MetricSink::~MetricSink() = default;
MetricSession::~MetricSession() = default;
Metric::~Metric() = default;

}  // namespace svi
