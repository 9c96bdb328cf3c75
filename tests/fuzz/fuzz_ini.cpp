#include <string>
#include <vector>

#include "fuzz.hpp"
#include "svi/config/parse.hpp"

namespace {

enum class Colour { red, green };

std::vector<std::string> enum_names(Colour) { return {"red", "green"}; }

/// One option of each type that a section can hold.
struct Config {
  bool flag = false;
  std::int64_t count = 1;
  double rate = 0.5;
  std::string text;
  std::vector<std::int64_t> counts;
  std::vector<double> rates;
  std::vector<std::string> names;
  Colour colour = Colour::red;

  void describe(svi::OptionVisitor& visit) {
    visit(flag, {.key = "flag", .help = "a switch"});
    visit(count, {.key = "count", .help = "a number", .min = 1, .max = 100});
    visit(rate, {.key = "rate", .help = "a share", .min = 0, .max = 1});
    visit(text, {.key = "text", .help = "a text"});
    visit(counts, {.key = "counts", .help = "numbers", .min = 0});
    visit(rates, {.key = "rates", .help = "shares", .min = 0, .max = 1});
    visit(names, {.key = "names", .help = "texts"});
    visit(colour, {.key = "colour", .help = "a choice"});
  }
};

void check_parsed(const svi::Document& document, const std::string& section) {
  try {
    const auto config = svi::parse_config<Config>(document, section);
    require(config.count >= 1 && config.count <= 100 && config.rate >= 0 && config.rate <= 1);
    for (const auto rate : config.rates) require(rate >= 0 && rate <= 1);
  } catch (const svi::ConfigError& error) {
    require(!std::string_view(error.what()).empty());
  }
}

}  // namespace

/// Canonical text means the same as what it was made from; options are in range or refused.
void fuzz(std::string_view bytes) {
  const auto document = svi::Document::parse(std::string(bytes), "fuzz.ini");
  const auto again = svi::Document::parse(document.text(), "again.ini");
  require(again.sections().size() == document.sections().size());
  for (const auto& section : document.sections()) {
    for (const auto& entry : section.entries) {
      // Quotes have no escape, so a value that holds one may change its meaning beside a comment
      // sign.
      if (entry.value.find('"') != std::string::npos) continue;
      require(again.get(section.name, entry.key) == entry.value);
    }
    check_parsed(document, section.name);
  }
}
