#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "svi/metric/metric.hpp"

namespace svi {

/// Keeps what a metric says of each clip, by the quantity's name.
class RecordingSink final : public MetricSink {
 public:
  explicit RecordingSink(const Metric& metric) : quantities_(metric.quantities()) {}

  void clip(std::size_t quantity, double value) override {
    clips[quantities_.at(quantity).name].push_back(value);
  }
  void frames(std::size_t quantity, const std::vector<double>& values) override {
    per_frame[quantities_.at(quantity).name].push_back(values);
  }
  void features(std::size_t quantity, const at::Tensor& shown_ones,
                const at::Tensor& true_ones) override {
    shown[quantities_.at(quantity).name].push_back(shown_ones);
    truth[quantities_.at(quantity).name].push_back(true_ones);
  }

  void film(std::size_t quantity, double value) override {
    films[quantities_.at(quantity).name].push_back(value);
  }
  void film_features(std::size_t quantity, const at::Tensor& shown_ones,
                     const at::Tensor& true_ones) override {
    features(quantity, shown_ones, true_ones);
  }

  std::map<std::string, std::vector<double>> clips, films;
  std::map<std::string, std::vector<std::vector<double>>> per_frame;
  std::map<std::string, std::vector<at::Tensor>> shown, truth;  // [K, D] per clip

 private:
  std::vector<Quantity> quantities_;
};

/// Shows a film [3, T, H, W] in [0, 1] to a metric in clips of `length` frames.
inline RecordingSink measure(const Metric& metric, const at::Tensor& film, std::int64_t length,
                             const at::Tensor& truth = {}, const std::string& prompt = "") {
  RecordingSink sink(metric);
  const auto session = metric.open();
  std::int64_t clip = 0;
  for (std::int64_t first = 0; first < film.size(1); first += length, ++clip) {
    const auto last = std::min(first + length, film.size(1));
    const auto part = film.slice(1, first, last);
    const auto wanted = truth.defined() ? truth.slice(1, first, last) : at::Tensor();
    session->add({clip, first, part, wanted, prompt, 8, {}, film.size(1)}, sink);
  }
  session->finish({clip, film.size(1), 8}, sink);
  return sink;
}

}  // namespace svi
