#include "svi/data/tracks.hpp"

#include <ATen/ATen.h>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"

namespace svi {

void Tracks::set(const std::string& name, at::Tensor values) {
  SVI_CHECK(!name.empty(), "a track needs a name");
  SVI_CHECK(values.defined() && values.dim() >= 1 && values.size(0) >= 1 &&
                values.scalar_type() == at::kFloat && values.is_cpu(),
            "track ", name, " must be fp32 [frames, ...] on the CPU");
  values_.insert_or_assign(name, std::move(values));
}

const at::Tensor& Tracks::operator[](std::string_view name) const {
  static const at::Tensor kAbsent;
  const auto found = values_.find(name);
  return found == values_.end() ? kAbsent : found->second;
}

std::vector<std::string> Tracks::names() const {
  std::vector<std::string> names;
  for (const auto& [name, values] : values_) names.push_back(name);
  return names;
}

Tracks Tracks::slice(std::int64_t first, std::int64_t count) const {
  SVI_CHECK(first >= 0 && count >= 1, "no track has ", count, " frames from frame ", first);
  Tracks cut;
  for (const auto& [name, values] : values_) {
    if (values.size(0) < first + count) {
      raise<ConfigError>("track '", name, "' has ", values.size(0), " frames, but ", first + count,
                         " are needed; give a longer one, or make a shorter film");
    }
    cut.set(name, values.narrow(0, first, count));
  }
  return cut;
}

Tracks Tracks::only(const std::vector<std::string>& names, const std::string& owner) const {
  Tracks chosen;
  for (const auto& name : names) {
    const auto& values = (*this)[name];
    if (!values.defined()) {
      raise<ConfigError>(owner, " has no track '", name,
                         "', which a model extension reads; it has ",
                         empty() ? "none" : join(this->names()),
                         ". Choose [data] that brings it, or leave the extension out");
    }
    chosen.set(name, values);
  }
  return chosen;
}

}  // namespace svi
