#include "frame_values.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace svi::vbench {

void Mean::add(double value) {
  if (std::isnan(value)) return;
  sum += value;
  ++count;
}

double Mean::value() const { return count > 0 ? sum / static_cast<double>(count) : kUndefined; }

at::Tensor Mean::row() const {
  return at::tensor({sum, static_cast<double>(count)}, at::kDouble).view({1, 2});
}

Quantity frame_quantity(std::string name, std::string meaning) {
  return {.name = std::move(name),
          .unit = "1",
          .meaning = std::move(meaning),
          .per_frame = true,
          .per_film = true,
          .film_features = 2,
          .set_value = SetValue::own};
}

void FrameValues::add(const ClipView& clip, MetricSink& sink) {
  const auto values = measure(clip);
  Mean mean;
  for (const double value : values) {
    mean.add(value);
    film_.add(value);
  }
  sink.frames(0, values);
  sink.clip(0, mean.value());
}

void FrameValues::finish(const FilmView&, MetricSink& sink) {
  if (film_.count == 0) return;  // the film is undefined, and no part of its set
  sink.film(0, film_.value());
  sink.film_features(0, film_.row(), {});
}

double mean_of_values(const at::Tensor& rows) {
  if (rows.size(0) == 0) return kUndefined;
  const auto total = rows.to(at::kDouble).sum(0);
  return total[0].item<double>() / total[1].item<double>();
}

double mean_of_films(const at::Tensor& rows) {
  if (rows.size(0) == 0) return kUndefined;
  const auto values = rows.to(at::kDouble);
  return (values.select(1, 0) / values.select(1, 1)).mean().item<double>();
}

double similarity(const at::Tensor& a, const at::Tensor& b) {
  const auto lengths = a.norm().item<double>() * b.norm().item<double>();
  return lengths > 0 ? std::max(0.0, a.dot(b).item<double>() / lengths) : 0.0;
}

double Chain::add(const at::Tensor& features) {
  const auto now = features.to(at::kDouble);
  if (!first_.defined()) {
    first_ = before_ = now;
    return kUndefined;
  }
  const double value = (similarity(before_, now) + similarity(first_, now)) / 2;
  before_ = now;
  return value;
}

void Chain::restart() {
  first_ = at::Tensor();
  before_ = at::Tensor();
}

}  // namespace svi::vbench
