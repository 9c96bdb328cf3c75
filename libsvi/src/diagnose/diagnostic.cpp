#include "svi/diagnose/diagnostic.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <set>

#include "svi/core/check.hpp"

namespace svi {
namespace {

std::int64_t length_of(const ResultScale& axis) {
  return std::visit([](const auto& values) { return static_cast<std::int64_t>(values.size()); },
                    axis.values);
}

void check(const DiagnosticReport& report) {
  std::set<std::string> names;
  std::map<std::string, std::int64_t> lengths;
  for (const auto& axis : report.axes) {
    SVI_CHECK(names.insert(axis.name).second, "the name ", axis.name, " stands for two things");
    lengths[axis.name] = length_of(axis);
  }
  for (const auto& result : report.results) {
    SVI_CHECK(!result.name.empty() && result.name.find('/') == std::string::npos,
              "a result needs a name without '/', got '", result.name, "'");
    SVI_CHECK(names.insert(result.name).second, "the name ", result.name, " stands for two things");
    const auto& values = result.values;
    SVI_CHECK(values.defined() && values.scalar_type() == at::kDouble && values.device().is_cpu(),
              result.name, " is no fp64 tensor on the CPU");
    SVI_CHECK(values.dim() == static_cast<std::int64_t>(result.dimensions.size()), result.name,
              " has ", values.dim(), " dimensions and ", result.dimensions.size(), " names");
    for (std::int64_t d = 0; d < values.dim(); ++d) {
      const auto found = lengths.find(result.dimensions[static_cast<std::size_t>(d)]);
      SVI_CHECK(found == lengths.end() || found->second == values.size(d), result.name, " has ",
                values.size(d), " values along ", found->first, ", which has ", found->second);
    }
  }
}

}  // namespace

Diagnostic::~Diagnostic() = default;

DiagnosticReport Diagnostic::run(const DiagnosticView& view) const {
  c10::NoGradGuard no_gradients;
  auto report = do_run(view);
  check(report);
  return report;
}

}  // namespace svi
