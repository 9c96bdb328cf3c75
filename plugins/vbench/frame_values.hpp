#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <svi/metric/metric.hpp>
#include <vector>

namespace svi::vbench {

inline constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

/// Sum and number of the values that are defined.
struct Mean {
  double sum = 0;
  std::int64_t count = 0;

  void add(double value);  // NaN does not count
  double value() const;    // NaN where there is nothing
  at::Tensor row() const;  // [1, 2] fp64: sum, count
};

/// A quantity with a value per frame (or per frame and the one before), whose
/// clips and films have the means of these, and whose sets are computed from
/// rows of Mean.
Quantity frame_quantity(std::string name, std::string meaning);

/// At work on a film: gives quantity 0, a frame_quantity().
class FrameValues : public MetricSession {
 public:
  void add(const ClipView& clip, MetricSink& sink) final;
  void finish(const FilmView& film, MetricSink& sink) final;

 private:
  /// One value per frame, NaN where undefined.
  virtual std::vector<double> measure(const ClipView& clip) = 0;

  Mean film_;
};

/// The number of a set from its films' rows [N, 2]: each value counts once, so
/// that long films count more; NaN without films.
double mean_of_values(const at::Tensor& rows);
/// The same where each film counts once.
double mean_of_films(const at::Tensor& rows);

/// What metrics do alike whose sessions need one network, which ready() makes: they open a Session
/// with it; kOfSet makes the number of a set.
template <class Session, class Network, double (*kOfSet)(const at::Tensor&) = mean_of_films>
class OneNetworkMetric : public Metric {
 public:
  std::unique_ptr<MetricSession> open() const final { return std::make_unique<Session>(network_); }
  double of_set(std::size_t, const at::Tensor& shown, const at::Tensor&) const final {
    return kOfSet(shown);
  }

 protected:
  std::shared_ptr<Network> network_;
};

/// Cosine of the angle between two vectors [D], at least 0; 0 where one of them
/// is 0.
double similarity(const at::Tensor& a, const at::Tensor& b);

/// VBench's consistency of a row of pictures: for each but the first, the mean
/// of its similarity to the picture before and to the first.
class Chain {
 public:
  /// The value of the next picture, by its features [D]; NaN for the first.
  double add(const at::Tensor& features);
  void restart();  // the next picture is the first

 private:
  at::Tensor first_, before_;  // fp64
};

}  // namespace svi::vbench
