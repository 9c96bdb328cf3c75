#include "svi/model/condition.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "svi/core/check.hpp"

namespace svi {

Condition::Condition(std::initializer_list<Part> parts) {
  for (const auto& [name, value] : parts) {
    SVI_CHECK(!has(name), "condition part ", name, " is given twice");
    set(name, value);
  }
}

const at::Tensor& Condition::operator[](std::string_view name) const {
  static const at::Tensor kAbsent;
  const auto found = parts_.find(name);
  return found == parts_.end() ? kAbsent : found->second;
}

void Condition::set(std::string_view name, at::Tensor value) {
  SVI_CHECK(!name.empty(), "a condition part needs a name");
  if (!value.defined()) {
    if (const auto found = parts_.find(name); found != parts_.end()) parts_.erase(found);
    return;
  }
  parts_.insert_or_assign(std::string(name), std::move(value));
}

std::vector<std::string> Condition::names() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : parts_) names.push_back(name);
  return names;
}

Condition Condition::map(const std::function<at::Tensor(const at::Tensor&)>& change) const {
  Condition changed;
  for (const auto& [name, value] : parts_) changed.set(name, change(value));
  return changed;
}

Condition Condition::to(const at::Device& device) const {
  return map([&](const at::Tensor& value) { return value.to(device); });
}

Condition Condition::clone() const {
  return map([](const at::Tensor& value) { return value.clone(); });
}

Condition Condition::rows(const at::Tensor& index) const {
  return map(
      [&](const at::Tensor& value) { return value.index_select(0, index.to(value.device())); });
}

Condition Condition::only(const std::vector<std::string>& names) const {
  Condition chosen;
  for (const auto& name : names) chosen.set(name, (*this)[name]);
  return chosen;
}

void Condition::add(const Condition& more) {
  for (const auto& [name, value] : more.parts_) set(name, value);
}

void Condition::zero_row(std::string_view name, std::int64_t row) {
  if (const auto found = parts_.find(name); found != parts_.end()) found->second[row].zero_();
}

Condition Condition::join(const std::vector<Condition>& conditions) {
  SVI_CHECK(!conditions.empty(), "no conditions to join");
  const auto names = conditions.front().names();
  Condition joined;
  for (const auto& name : names) {
    std::vector<at::Tensor> values;
    for (const auto& condition : conditions) {
      const auto& value = condition[name];
      SVI_CHECK(value.defined(), "condition.", name, " is in one pass only");
      const auto& first = conditions.front()[name];
      SVI_CHECK(value.dim() > 0 && value.dim() == first.dim() &&
                    value.sizes().slice(1) == first.sizes().slice(1),
                "condition.", name, " is ", first.sizes(), " in one pass and ", value.sizes(),
                " in another");
      values.push_back(value);
    }
    joined.set(name, at::cat(values));
  }
  for (const auto& condition : conditions) {
    for (const auto& name : condition.names())
      SVI_CHECK(joined.has(name), "condition.", name, " is in one pass only");
  }
  return joined;
}

void Condition::require_known(const std::vector<std::string_view>& known) const {
  for (const auto& [name, value] : parts_) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string list;
    for (const auto& one : known) list += (list.empty() ? "" : ", ") + std::string(one);
    raise("this model does not read the condition part '", name, "'; it reads ", list,
          ". Load the model extension that reads it, or leave the part out");
  }
}

bool Condition::same(const Condition& other) const {
  return parts_.size() == other.parts_.size() &&
         std::equal(parts_.begin(), parts_.end(), other.parts_.begin(),
                    [](const auto& a, const auto& b) {
                      return a.first == b.first && a.second.is_same(b.second);
                    });
}

}  // namespace svi
