#include "captions.hpp"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string_view>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/text.hpp"
#include "svi/data/csv.hpp"
#include "svi/data/video_names.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

/// `<name>.csv`, whatever the case of its letters; empty without one.
fs::path table_of(const fs::path& folder, const std::string& name) {
  const auto exact = folder / (name + ".csv");
  if (fs::exists(exact)) return exact;
  std::vector<fs::path> tables;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && lower_case(entry.path().extension().string()) == ".csv")
      tables.push_back(entry.path());
  }
  std::sort(tables.begin(), tables.end());
  for (const auto& table : tables) {
    if (lower_case(table.filename().string()) == lower_case(name) + ".csv") return table;
  }
  if (!tables.empty()) {
    SVI_WARN("data", tables.front().string(), ": is not read; captions of this folder belong into ",
             exact.string());
  }
  return {};
}

std::string text_of(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) raise<IoError>(path.string(), ": cannot be read");
  const std::string_view view = text;
  if (view.starts_with("\xff\xfe") || view.starts_with("\xfe\xff")) {
    raise<IoError>(path.string(), ":1: is UTF-16 text; save it as UTF-8, or: iconv -f UTF-16 -t ",
                   "UTF-8 OLD > NEW");
  }
  const auto end = std::min(utf8_end(text), text.find('\0'));
  if (end < text.size()) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n');
    raise<IoError>(path.string(), ":", line, ": is not UTF-8 text; save it with that encoding");
  }
  return text;
}

/// The place of a column, whatever the case of its name.
std::optional<std::size_t> column(const std::vector<std::string>& header, std::string_view name) {
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (lower_case(trimmed(header[i])) == lower_case(name)) return i;
  }
  return std::nullopt;
}

constexpr std::string_view kName = "Filename", kCaption = "Video Description";

/// What stands between the fields: the first of the usual signs by which the first line names both
/// columns.
char separator_of(std::string_view text, const std::string& file) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
  const auto header = text.substr(0, text.find_first_of("\r\n"));
  for (const char separator : {',', ';', '\t', '|'}) {
    try {
      const auto rows = parse_csv(header, file, separator);
      if (!rows.empty() && column(rows[0], kName) && column(rows[0], kCaption)) return separator;
    } catch (const IoError&) {  // another sign stands behind a quote
    }
  }
  return ',';
}

/// Finds a video by what a table calls it.
class Names {
 public:
  explicit Names(const std::vector<fs::path>& videos) : videos_(videos) {}

  struct Match {
    std::string name;  // of the file; empty where none is meant
    bool exact = false, several = false;
  };

  Match find(const std::string& given) const {
    const auto wanted = fs::path(given).filename().string();
    Match match;
    for (const auto& video : videos_) {
      const auto name = video.filename().string();
      if (name == given) return {name, true, false};
      if (lower_case(name) != lower_case(wanted) &&
          lower_case(video.stem().string()) != lower_case(wanted))
        continue;
      match.several = !match.name.empty();
      if (match.several) break;
      match.name = name;
    }
    return match;
  }

 private:
  const std::vector<fs::path>& videos_;
};

/// Refuses a quoted field that runs on over another row, as one does whose closing quote is
/// missing.
void check_swallowed(const std::string& field, char separator, const Names& names,
                     const std::string& place) {
  for (auto start = field.find('\n'); start != std::string::npos;
       start = field.find('\n', start + 1)) {
    const auto line = field.substr(start + 1, field.find('\n', start + 1) - start - 1);
    if (line.find(separator) == std::string::npos) continue;
    std::istringstream pieces(line);
    for (std::string piece; std::getline(pieces, piece, separator);) {
      auto name = trimmed(piece);
      std::erase(name, '"');
      if (!name.empty() && (!names.find(name).name.empty() || is_video(name))) {
        raise<IoError>(place, ": a quoted field goes on over the row of ", name,
                       "; put a closing quote at its end");
      }
    }
  }
}

class Table {
 public:
  Table(const fs::path& path, const std::vector<fs::path>& videos)
      : file_(path.string()), names_(videos) {
    const auto text = text_of(path);
    separator_ = separator_of(text, file_);
    rows_ = parse_csv(text, file_, separator_, &lines_);
    if (rows_.empty()) raise<IoError>(file_, ": is empty");
    name_ = required(kName);
    caption_ = required(kCaption);
  }

  std::map<std::string, std::string> captions() {
    for (std::size_t i = 1; i < rows_.size(); ++i) add(rows_[i], cat(file_, ":", lines_[i]));
    if (strangers_ > 0) {
      SVI_WARN("data", first_stranger_, ": names no video of this folder",
               strangers_ > 1 ? cat(", nor do ", strangers_ - 1, " more rows") : "");
    }
    return captions_;
  }

 private:
  std::size_t required(std::string_view title) const {
    if (const auto place = column(rows_[0], title)) return *place;
    std::string present;
    for (const auto& each : rows_[0]) present += (present.empty() ? "" : ", ") + each;
    raise<IoError>(file_, ": no column \"", title, "\"; its first line names: ", present);
  }

  void add(const std::vector<std::string>& row, const std::string& place) {
    const auto wanted = rows_[0].size();
    for (const auto& field : row) check_swallowed(field, separator_, names_, place);
    for (auto i = wanted; i < row.size(); ++i) {
      if (trimmed(row[i]).empty()) continue;
      raise<IoError>(place, ": has ", row.size(), " fields where the first line has ", wanted,
                     "; put a text that holds a ", separator_name(), " between double quotes");
    }
    if (row.size() <= std::max(name_, caption_)) {
      SVI_WARN("data", place, ": has ", row.size(), " of ", wanted, " fields and is passed over");
      return;
    }
    const auto given = trimmed(row[name_]);
    const auto match = names_.find(given);
    if (match.several) {
      SVI_WARN("data", place, ": \"", given, "\" may be several videos; it is passed over");
    } else if (match.name.empty()) {
      if (strangers_++ == 0) first_stranger_ = cat(place, ": \"", given, "\"");
    } else {
      if (!match.exact)
        SVI_WARN("data", place, ": \"", given, "\" is taken for ", match.name, "; spell it alike");
      if (captions_.count(match.name) != 0)
        SVI_WARN("data", place, ": ", match.name, " is named again; the later caption counts");
      captions_[match.name] = trimmed(row[caption_]);
    }
  }

  std::string separator_name() const {
    return separator_ == ',' ? "comma" : separator_ == '\t' ? "tab" : std::string(1, separator_);
  }

  std::string file_;
  Names names_;
  char separator_ = ',';
  std::vector<std::vector<std::string>> rows_;
  std::vector<int> lines_;
  std::size_t name_ = 0, caption_ = 0, strangers_ = 0;
  std::string first_stranger_;
  std::map<std::string, std::string> captions_;
};

}  // namespace

std::map<std::string, std::string> read_captions(const fs::path& folder, const std::string& name,
                                                 const std::vector<fs::path>& videos) {
  const auto path = table_of(folder, name);
  if (path.empty()) return {};
  auto captions = Table(path, videos).captions();
  std::erase_if(captions, [](const auto& each) { return each.second.empty(); });
  if (captions.size() < videos.size()) {
    const auto missing = std::find_if(videos.begin(), videos.end(), [&](const fs::path& video) {
      return captions.count(video.filename().string()) == 0;
    });
    SVI_WARN("data", path.string(), ": has captions for ", captions.size(), " of ", videos.size(),
             " videos; the first without is ", missing->filename().string());
  }
  return captions;
}

}  // namespace svi
