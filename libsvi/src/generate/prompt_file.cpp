#include "svi/generate/prompt_file.hpp"

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostSegments = 1'000'000;
constexpr std::uintmax_t kLongestFile = 16 << 20;

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::int64_t line_at(const std::string& text, std::size_t at) {
  return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
}

/// The strings of a list literal, from its '['; escapes as in Python: \n, \t, \', \", \\.
class ListLiteral {
 public:
  ListLiteral(const std::string& text, std::size_t at, const std::string& file)
      : text_(text), at_(at + 1), file_(file) {}

  std::vector<PromptSegment> read() {
    std::vector<PromptSegment> segments;
    for (;;) {
      skip_space();
      if (at_ >= text_.size()) fail("the list does not end with ']'");
      if (text_[at_] == ']') return segments;
      segments.push_back({.prompt = strings()});
      skip_space();
      if (at_ < text_.size() && text_[at_] == ',')
        ++at_;
      else if (at_ >= text_.size() || text_[at_] != ']')
        fail("a ',' or ']' is missing");
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    raise<ConfigError>(file_, ":", line_at(text_, std::min(at_, text_.size())), ": ", what,
                       "; only strings may stand in `prompts = [ ... ]`");
  }
  void skip_space() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }
  /// One string, or several side by side, which Python joins.
  std::string strings() {
    if (text_[at_] != '"' && text_[at_] != '\'') fail("something that is no string");
    std::string joined;
    while (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
      joined += one();
      skip_space();
    }
    return joined;
  }
  std::string one() {
    const char quote = text_[at_];
    const std::string triple(3, quote);
    const bool is_long = text_.compare(at_, 3, triple) == 0;
    at_ += is_long ? 3 : 1;
    std::string value;
    while (at_ < text_.size()) {
      if (is_long ? text_.compare(at_, 3, triple) == 0 : text_[at_] == quote) {
        at_ += is_long ? 3 : 1;
        return value;
      }
      if (text_[at_] == '\n' && !is_long) break;
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        const char escaped = text_[++at_];
        value += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
        ++at_;
        continue;
      }
      value += text_[at_++];
    }
    fail("a string does not end");
  }

  const std::string& text_;
  std::size_t at_;
  const std::string& file_;
};

/// `prompts = [`: the place of the bracket, or nothing.
std::optional<std::size_t> list_literal(const std::string& text) {
  std::size_t at = 0;
  while (at < text.size()) {  // blank lines and comments may stand in front
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = trimmed(text.substr(at, end - at));
    if (!line.empty() && line.front() != '#') break;
    at = end + 1;
  }
  const auto start = text.find_first_not_of(" \t\r\n", std::min(at, text.size()));
  if (start == std::string::npos || text.compare(start, 7, "prompts") != 0) return std::nullopt;
  const auto equals = text.find_first_not_of(" \t", start + 7);
  if (equals == std::string::npos || text[equals] != '=') return std::nullopt;
  const auto bracket = text.find_first_not_of(" \t\r\n", equals + 1);
  if (bracket == std::string::npos || text[bracket] != '[') return std::nullopt;
  return bracket;
}

std::vector<PromptSegment> from_lines(const std::string& text) {
  std::vector<PromptSegment> segments;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    auto prompt = trimmed(line);
    if (!prompt.empty() && prompt.front() != '#') segments.push_back({.prompt = std::move(prompt)});
  }
  return segments;
}

/// JSON is read as YAML, whose flow style it is.
class YamlPrompts {
 public:
  explicit YamlPrompts(const std::string& file) : file_(file) {}

  std::vector<PromptSegment> read(const std::string& text) const {
    try {
      auto list = YAML::Load(text);
      if (list.IsMap()) list = list["prompts"];
      if (!list.IsDefined() || !list.IsSequence())
        raise<ConfigError>(file_,
                           ": holds no list of prompts, neither by itself nor under `prompts`");
      if (list.size() > kMostSegments)
        raise<ConfigError>(file_, ": more than ", kMostSegments, " prompts");
      std::vector<PromptSegment> segments;
      for (const auto& item : list) segments.push_back(segment(item));
      return segments;
    } catch (const YAML::Exception& error) {
      raise<ConfigError>(file_, ":", error.mark.line + 1, ": ", error.msg);
    }
  }

 private:
  [[noreturn]] void fail(const YAML::Node& node, const std::string& what) const {
    raise<ConfigError>(file_, ":", node.Mark().line + 1, ": ", what);
  }
  PromptSegment segment(const YAML::Node& item) const {
    if (item.IsScalar()) return {.prompt = trimmed(item.Scalar())};
    if (!item.IsMap()) fail(item, "a prompt is a text or a mapping with the key `prompt`");
    static const std::vector<std::string> kKeys = {"prompt", "duration",   "clips",
                                                   "seed",   "transition", "image"};
    PromptSegment segment;
    for (const auto& entry : item) {
      const auto key = entry.first.as<std::string>();
      const auto& value = entry.second;
      if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
        const auto near = nearest_name(key, kKeys);
        fail(entry.first,
             cat("unknown key `", key, "`",
                 near.empty() ? "; keys are " + join(kKeys) : "; did you mean `" + near + "`?"));
      }
      if (!value.IsScalar()) fail(value, cat("`", key, "` must be one value"));
      read(segment, key, value);
    }
    if (segment.prompt.empty()) fail(item, "`prompt` is missing or empty");
    if (segment.clips > 0 && segment.seconds > 0)
      fail(item, "give `duration` or `clips`, not both");
    if ((segment.transition == Transition::cut) != !segment.image.empty())
      fail(item, "a cut needs an `image` to start from, and only a cut takes one");
    return segment;
  }
  void read(PromptSegment& segment, const std::string& key, const YAML::Node& value) const {
    if (key == "prompt") segment.prompt = trimmed(value.Scalar());
    if (key == "image") segment.image = value.Scalar();
    if (key == "duration") {
      segment.seconds = number<double>(key, value);
      if (!(segment.seconds > 0 && segment.seconds < 1e9))
        fail(value, "`duration` must be seconds above 0");
    }
    if (key == "clips") {
      segment.clips = number<std::int64_t>(key, value);
      if (segment.clips < 1) fail(value, "`clips` must be at least 1");
    }
    if (key == "seed") {
      segment.seed = number<std::int64_t>(key, value);
      if (*segment.seed < 0) fail(value, "`seed` must not be negative");
    }
    if (key == "transition") {
      const auto& name = value.Scalar();
      if (name != "continue" && name != "cut")
        fail(value, cat("`transition` is `", name, "`; it must be `continue` or `cut`"));
      segment.transition = name == "cut" ? Transition::cut : Transition::proceed;
    }
  }
  template <class Number>
  Number number(const std::string& key, const YAML::Node& value) const {
    Number result{};
    if (!YAML::convert<Number>::decode(value, result))
      fail(value, cat("`", key, "` is `", value.Scalar(), "`, not a ",
                      std::is_integral_v<Number> ? "whole number" : "number"));
    return result;
  }

  const std::string& file_;
};

}  // namespace

std::vector<PromptSegment> parse_prompts(const std::string& text, const std::string& file) {
  const auto extension = fs::path(file).extension();
  std::vector<PromptSegment> segments;
  if (extension == ".json" || extension == ".yaml" || extension == ".yml") {
    segments = YamlPrompts(file).read(text);
  } else if (const auto bracket = list_literal(text)) {
    segments = ListLiteral(text, *bracket, file).read();
  } else {
    segments = from_lines(text);
  }
  if (segments.empty()) raise<ConfigError>(file, ": holds no prompt");
  for (const auto& segment : segments) {
    if (segment.prompt.empty()) raise<ConfigError>(file, ": a prompt is empty");
  }
  const auto folder = fs::path(file).parent_path();
  for (auto& segment : segments) {
    if (!segment.image.empty()) segment.image = (folder / segment.image).string();
  }
  return segments;
}

std::vector<PromptSegment> read_prompts(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  std::ifstream in(path, std::ios::binary);
  if (error || !in) raise<ConfigError>(path, ": cannot be opened; is the path right?");
  if (size > kLongestFile) raise<ConfigError>(path, ": is too long for a file of prompts");
  return parse_prompts({std::istreambuf_iterator<char>(in), {}}, path);
}

}  // namespace svi
