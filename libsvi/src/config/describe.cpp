#include "svi/config/describe.hpp"

#include <charconv>
#include <cmath>

#include "svi/core/check.hpp"

namespace svi {
namespace {

/// The shortest text that reads back to the same number.
std::string number_text(double value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return error == std::errc() ? std::string(buffer, end) : cat(value);
}
std::string number_text(std::int64_t value) { return std::to_string(value); }
std::string number_text(const std::string& value) { return value; }

template <class T>
std::string list_text(const std::vector<T>& values) {
  std::vector<std::string> parts;
  for (const auto& value : values) parts.push_back(number_text(value));
  return join(parts);
}

class Collect final : public OptionVisitor {
 public:
  std::vector<OptionText> texts;

 private:
  void add(const Option& option, std::string type, std::string value) {
    std::string range;
    const bool low = std::isfinite(option.min), high = std::isfinite(option.max);
    if (low && high) range = number_text(option.min) + " to " + number_text(option.max);
    if (low && !high) range = ">= " + number_text(option.min);
    if (!low && high) range = "<= " + number_text(option.max);
    texts.push_back(
        {option.key, std::move(type), std::move(value), range, option.unit, option.help});
  }
  void visit(bool& v, const Option& o) override { add(o, "bool", v ? "true" : "false"); }
  void visit(std::int64_t& v, const Option& o) override { add(o, "int", number_text(v)); }
  void visit(double& v, const Option& o) override { add(o, "number", number_text(v)); }
  void visit(std::string& v, const Option& o) override { add(o, "text", v); }
  void visit(std::vector<std::int64_t>& v, const Option& o) override {
    add(o, "ints", list_text(v));
  }
  void visit(std::vector<double>& v, const Option& o) override { add(o, "numbers", list_text(v)); }
  void visit(std::vector<std::string>& v, const Option& o) override {
    add(o, "texts", list_text(v));
  }
  void visit_choice(std::int64_t& v, const std::vector<std::string>& names,
                    const Option& o) override {
    add(o, join(names, " | "), names.at(static_cast<std::size_t>(v)));
  }
};

}  // namespace

std::vector<OptionText> option_texts(const Describe& describe) {
  Collect collect;
  describe(collect);
  return std::move(collect.texts);
}

std::string options_as_text(const std::vector<OptionText>& options) {
  std::size_t width = 0;
  for (const auto& option : options) width = std::max(width, option.key.size());
  std::ostringstream out;
  for (const auto& option : options) {
    out << "  " << option.key << std::string(width - option.key.size(), ' ') << " = "
        << option.value << "\n"
        << std::string(width + 5, ' ') << option.help << " [" << option.type;
    if (!option.range.empty()) out << ", " << option.range;
    if (!option.unit.empty()) out << ", unit: " << option.unit;
    out << "]\n";
  }
  return out.str();
}

std::string options_as_markdown(const std::vector<OptionText>& options) {
  if (options.empty()) return "No options.\n";
  const auto cell = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
      text.replace(at, 1, "\\|");
    return text;
  };
  std::ostringstream out;
  out << "| key | default | type | range | unit | meaning |\n| --- | --- | --- | --- | --- | --- "
         "|\n";
  for (const auto& option : options) {
    out << "| `" << option.key << "` | "
        << (option.value.empty() ? "" : "`" + cell(option.value) + "`") << " | "
        << cell(option.type) << " | " << cell(option.range) << " | " << cell(option.unit) << " | "
        << cell(option.help) << " |\n";
  }
  return out.str();
}

void resolve_into(Document& document, const std::string& section, const Describe& describe) {
  for (const auto& option : option_texts(describe))
    document.set(section, option.key, option.value, "resolved");
}

}  // namespace svi
