#include "svi/data/csv.hpp"

#include <array>
#include <utility>

#include "svi/core/check.hpp"

namespace svi {
namespace {

class Reader {
 public:
  Reader(std::string_view text, const std::string& file, char separator)
      : text_(text), file_(file), separator_(separator), ends_{separator, '\r', '\n'} {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  bool more() const { return place_ < text_.size(); }
  int line() const { return line_; }

  std::vector<std::string> row() {
    std::vector<std::string> fields(1, field());
    while (more() && text_[place_] == separator_) {
      ++place_;
      fields.push_back(field());
    }
    end_line();
    return fields;
  }

 private:
  std::string field() {
    if (more() && text_[place_] == '"') return quoted();
    const auto end =
        std::min(text_.find_first_of({ends_.data(), ends_.size()}, place_), text_.size());
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
      raise<IoError>(file_, ":", line_, ": expected ",
                     separator_ == ',' ? "a comma" : "a separator",
                     " or the end of the line after a quote, got '", text_[place_],
                     "'; write quotes inside a field twice");
    }
    ++place_;
    ++line_;
  }

  std::string_view text_;
  const std::string& file_;
  char separator_;
  std::array<char, 3> ends_;  // of a field without quotes
  std::size_t place_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<std::vector<std::string>> parse_csv(std::string_view text, const std::string& file,
                                                char separator, std::vector<int>* lines) {
  std::vector<std::vector<std::string>> rows;
  for (Reader reader(text, file, separator); reader.more();) {
    const auto line = reader.line();
    auto row = reader.row();
    if (row.size() == 1 && row[0].empty()) continue;
    rows.push_back(std::move(row));
    if (lines != nullptr) lines->push_back(line);
  }
  return rows;
}

}  // namespace svi
