#include "fuzz.hpp"
#include "svi/data/csv.hpp"

namespace {

std::string quoted(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += i == 0 ? "\"" : ",\"";
      for (const char c : row[i]) text += c == '"' ? "\"\"" : std::string(1, c);
      text += '"';
    }
    text += '\n';
  }
  return text;
}

}  // namespace

/// Rows written with every field quoted are read as the same rows.
void fuzz(std::string_view bytes) {
  const auto rows = svi::parse_csv(bytes, "fuzz.csv");
  require(svi::parse_csv(quoted(rows), "again.csv") == rows);
}
