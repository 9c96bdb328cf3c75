#include "svi/config/parse.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <numeric>

#include "svi/core/check.hpp"
#include "svi/core/printable.hpp"

namespace svi {
namespace {

namespace po = boost::program_options;

template <class T>
bool read_number(const std::string& text, T& value) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (begin != end && *begin == '+') ++begin;
  const auto [stop, error] = std::from_chars(begin, end, value);
  return error == std::errc() && stop == end;
}

bool read_bool(const std::string& text, bool& value) {
  for (const char* yes : {"true", "yes", "on", "1"}) {
    if (text == yes) return value = true, true;
  }
  for (const char* no : {"false", "no", "off", "0"}) {
    if (text == no) return value = false, true;
  }
  return false;
}

/// First pass: declares each option to Boost, so that one mechanism knows which keys there are.
class Declare final : public OptionVisitor {
 public:
  po::options_description options;
  std::vector<std::string> keys;

 private:
  void add(const Option& option) {
    options.add_options()(option.key.c_str(), po::value<std::string>(), option.help.c_str());
    keys.push_back(option.key);
  }
  void visit(bool&, const Option& o) override { add(o); }
  void visit(std::int64_t&, const Option& o) override { add(o); }
  void visit(double&, const Option& o) override { add(o); }
  void visit(std::string&, const Option& o) override { add(o); }
  void visit(std::vector<std::int64_t>&, const Option& o) override { add(o); }
  void visit(std::vector<double>&, const Option& o) override { add(o); }
  void visit(std::vector<std::string>&, const Option& o) override { add(o); }
  void visit_choice(std::int64_t&, const std::vector<std::string>&, const Option& o) override {
    add(o);
  }
};

/// Second pass: converts and checks the values found.
class Assign final : public OptionVisitor {
 public:
  Assign(const po::variables_map& values, const Document::Section& section)
      : values_(values), section_(section) {}

 private:
  const std::string* given(const Option& option) const {
    const auto found = values_.find(option.key);
    return found == values_.end() ? nullptr : &found->second.as<std::string>();
  }

  [[noreturn]] void refuse(const Option& option, const std::string& value,
                           const std::string& wanted) const {
    std::string origin = section_.origin;
    for (const auto& entry : section_.entries) {
      if (entry.key == option.key) origin = entry.origin;
    }
    raise<ConfigError>(origin, ": [", section_.name, "] ", option.key, " = ", printable(value),
                       " is not ", wanted, " (", option.help,
                       option.unit.empty() ? "" : ", unit: " + option.unit, ")");
  }

  void check_range(const Option& option, const std::string& text, double value) const {
    if (value >= option.min && value <= option.max) return;
    std::string range = cat("in the range ", option.min, " to ", option.max);
    if (option.max == std::numeric_limits<double>::infinity()) range = cat("at least ", option.min);
    if (option.min == -std::numeric_limits<double>::infinity()) range = cat("at most ", option.max);
    refuse(option, text, range);
  }

  template <class T>
  void number(T& value, const Option& option, const char* wanted) const {
    const auto* text = given(option);
    if (text == nullptr) return;
    if (!read_number(*text, value)) refuse(option, *text, wanted);
    check_range(option, *text, static_cast<double>(value));
  }

  template <class T>
  void numbers(std::vector<T>& value, const Option& option, const char* wanted) const {
    const auto* text = given(option);
    if (text == nullptr) return;
    value.clear();
    for (const auto& part : split_list(*text)) {
      T number{};
      if (!read_number(part, number)) refuse(option, *text, wanted);
      check_range(option, *text, static_cast<double>(number));
      value.push_back(number);
    }
  }

  void visit(bool& value, const Option& option) override {
    const auto* text = given(option);
    if (text != nullptr && !read_bool(*text, value)) refuse(option, *text, "true or false");
  }
  void visit(std::int64_t& value, const Option& option) override {
    number(value, option, "a whole number");
  }
  void visit(double& value, const Option& option) override { number(value, option, "a number"); }
  void visit(std::string& value, const Option& option) override {
    if (const auto* text = given(option)) value = *text;
  }
  void visit(std::vector<std::int64_t>& value, const Option& option) override {
    numbers(value, option, "a list of whole numbers, comma separated");
  }
  void visit(std::vector<double>& value, const Option& option) override {
    numbers(value, option, "a list of numbers, comma separated");
  }
  void visit(std::vector<std::string>& value, const Option& option) override {
    if (const auto* text = given(option)) value = split_list(*text);
  }
  void visit_choice(std::int64_t& value, const std::vector<std::string>& names,
                    const Option& option) override {
    const auto* text = given(option);
    if (text == nullptr) return;
    const auto found = std::find(names.begin(), names.end(), *text);
    if (found == names.end()) {
      const auto near = nearest_name(*text, names);
      refuse(option, *text,
             "one of " + join(names) + (near.empty() ? "" : "; did you mean '" + near + "'?"));
    }
    value = found - names.begin();
  }

  const po::variables_map& values_;
  const Document::Section& section_;
};

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    const auto first = part.find_first_not_of(" \t");
    if (first == std::string::npos) continue;
    parts.push_back(part.substr(first, part.find_last_not_of(" \t") - first + 1));
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += separator;
    text += parts[i];
  }
  return text;
}

std::string nearest_name(std::string_view given, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, given.size() / 3) + 1;
  for (const auto& name : known) {
    const auto distance = edit_distance(given, name);
    if (distance < best_distance) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

void parse_section(const Document::Section* section, const Describe& describe,
                   const std::vector<std::string>& reserved) {
  if (section == nullptr) return;
  Declare declared;
  describe(declared);
  po::parsed_options parsed(&declared.options);
  for (const auto& entry : section->entries) {
    if (std::find(reserved.begin(), reserved.end(), entry.key) != reserved.end()) continue;
    if (std::find(declared.keys.begin(), declared.keys.end(), entry.key) == declared.keys.end()) {
      const auto near = nearest_name(entry.key, declared.keys);
      raise<ConfigError>(
          entry.origin, ": [", section->name, "] has no key '", entry.key, "' (value '",
          entry.value, "'); ",
          near.empty() ? "known keys: " + join(declared.keys) : "did you mean '" + near + "'?");
    }
    parsed.options.emplace_back(entry.key, std::vector<std::string>{entry.value});
  }
  po::variables_map values;
  try {
    po::store(parsed, values);
  } catch (const po::error& error) {
    raise<ConfigError>(section->origin, ": [", section->name, "] ", error.what());
  }
  Assign assign(values, *section);
  describe(assign);
}

void raise_section_problem(const Document::Section* section, const std::string& name,
                           const std::string& problem) {
  if (problem.empty()) return;
  raise<ConfigError>(section != nullptr ? section->origin : std::string("defaults"), ": [",
                     section != nullptr ? section->name : name, "] ", problem);
}

}  // namespace svi
