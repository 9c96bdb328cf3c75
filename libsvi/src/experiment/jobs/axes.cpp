#include "axes.hpp"

#include <numeric>

#include "svi/core/check.hpp"

namespace svi {
namespace {

std::int64_t axis_length(const ResultScale& axis) {
  return std::visit([](const auto& values) { return static_cast<std::int64_t>(values.size()); },
                    axis.values);
}

}  // namespace

void Axes::add(ResultScale axis) {
  for (auto& known : axes_) {
    if (known.name != axis.name) continue;
    if (axis_length(axis) > axis_length(known)) known = std::move(axis);
    return;
  }
  axes_.push_back(std::move(axis));
}

bool Axes::contains(const std::string& name) const {
  return std::any_of(axes_.begin(), axes_.end(),
                     [&](const ResultScale& axis) { return axis.name == name; });
}

std::int64_t Axes::length(const std::string& name) const {
  for (const auto& axis : axes_) {
    if (axis.name == name) return axis_length(axis);
  }
  raise<Error>("the run's results have no axis '", name, "'");
}

std::vector<std::int64_t> Axes::lengths(const std::vector<std::string>& names) const {
  std::vector<std::int64_t> lengths;
  for (const auto& name : names) lengths.push_back(length(name));
  return lengths;
}

ResultScale counted_axis(const std::string& name, std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return {name, std::move(values)};
}

}  // namespace svi
