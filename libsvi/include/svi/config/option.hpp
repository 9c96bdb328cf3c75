#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// One option of a Config struct: everything a reader, a checker or a reference page needs to know.
struct Option {
  std::string key;        // name in INI files, snake_case
  std::string help;       // one sentence for users
  std::string unit = {};  // as in docs/notation.md; empty for pure numbers
  double min = -std::numeric_limits<double>::infinity();  // inclusive
  double max = std::numeric_limits<double>::infinity();   // inclusive
};

/// Sees each option of a Config in turn: a reader, a writer or a documenter.
///
/// The set of types is closed, so that headers stay light: bool, int64, double, string, enum by
/// name, and vectors of int64, double and string (comma separated in INI files).
class SVI_EXPORT OptionVisitor {
 public:
  virtual ~OptionVisitor();

  void operator()(bool& value, const Option& option) { visit(value, option); }
  void operator()(std::int64_t& value, const Option& option) { visit(value, option); }
  void operator()(double& value, const Option& option) { visit(value, option); }
  void operator()(std::string& value, const Option& option) { visit(value, option); }
  void operator()(std::vector<std::int64_t>& value, const Option& option) { visit(value, option); }
  void operator()(std::vector<double>& value, const Option& option) { visit(value, option); }
  void operator()(std::vector<std::string>& value, const Option& option) { visit(value, option); }

  /// An enum class with a companion `std::vector<std::string> enum_names(E)` found by
  /// argument-dependent lookup: names in the order of values 0, 1, 2, ...
  template <class E>
  requires std::is_enum_v<E>
  void operator()(E& value, const Option& option) {
    auto index = static_cast<std::int64_t>(value);
    visit_choice(index, enum_names(E{}), option);
    value = static_cast<E>(index);
  }

 private:
  virtual void visit(bool& value, const Option& option) = 0;
  virtual void visit(std::int64_t& value, const Option& option) = 0;
  virtual void visit(double& value, const Option& option) = 0;
  virtual void visit(std::string& value, const Option& option) = 0;
  virtual void visit(std::vector<std::int64_t>& value, const Option& option) = 0;
  virtual void visit(std::vector<double>& value, const Option& option) = 0;
  virtual void visit(std::vector<std::string>& value, const Option& option) = 0;
  virtual void visit_choice(std::int64_t& value, const std::vector<std::string>& names,
                            const Option& option) = 0;
};

/// A plain struct of options that describes itself.
template <class C>
concept Describable = std::default_initializable<C> && requires(C config, OptionVisitor& visit) {
  {config.describe(visit)};
};

}  // namespace svi
