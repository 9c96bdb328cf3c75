#include "svi/data/csv.hpp"

#include "svi/core/check.hpp"

namespace svi {
namespace {

class Reader {
 public:
  Reader(std::string_view text, const std::string& file) : text_(text), file_(file) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  bool more() const { return place_ < text_.size(); }

  std::vector<std::string> row() {
    std::vector<std::string> fields(1, field());
    while (more() && text_[place_] == ',') {
      ++place_;
      fields.push_back(field());
    }
    end_line();
    return fields;
  }

 private:
  std::string field() {
    if (more() && text_[place_] == '"') return quoted();
    const auto end = std::min(text_.find_first_of(",\r\n", place_), text_.size());
    const auto start = std::exchange(place_, end);
    return std::string(text_.substr(start, end - start));
  }

  std::string quoted() {
    const auto opened = line_;
    std::string value;
    for (++place_; more(); ++place_) {
      const char c = text_[place_];
      if (c == '"') {
        ++place_;
        if (!more() || text_[place_] != '"') return value;
      } else if (c == '\n') {
        ++line_;
      }
      value += c;
    }
    raise<IoError>(file_, ":", opened, ": a quoted field has no closing quote");
  }

  void end_line() {
    if (!more()) return;
    if (text_.substr(place_).starts_with("\r\n")) ++place_;
    if (text_[place_] != '\n' && text_[place_] != '\r') {
      raise<IoError>(file_, ":", line_,
                     ": expected a comma or the end of the line after a quote, got '",
                     text_[place_], "'; write quotes inside a field twice");
    }
    ++place_;
    ++line_;
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t place_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<std::vector<std::string>> parse_csv(std::string_view text, const std::string& file) {
  std::vector<std::vector<std::string>> rows;
  for (Reader reader(text, file); reader.more();) {
    auto row = reader.row();
    if (row.size() > 1 || !row[0].empty()) rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace svi
