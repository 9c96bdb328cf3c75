#include "svi/generate/prompt_file.hpp"

#include <filesystem>
#include <fstream>

#include "generate/prompt_detail.hpp"
#include "svi/core/text.hpp"

namespace svi {
namespace prompts {
namespace {

namespace fs = std::filesystem;

// More than a week of clips, more than any text encoder reads, and room for both.
constexpr std::size_t kMostSegments = 100'000, kLongestPrompt = 64 << 10, kLongestText = 4 << 20;

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n') || c == 0x7F;
}

/// U+0080 to U+009F, which terminals obey as well.
bool has_wide_control(std::string_view text) {
  for (auto at = text.find('\xC2'); at != std::string_view::npos; at = text.find('\xC2', at + 1)) {
    if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0) return true;
  }
  return false;
}

/// Checked text without a byte order mark, its lines ending in LF alone.
std::string cleaned(std::string_view text, const std::string& file) {
  if (text.size() > kLongestText)
    raise<ConfigError>(file, ": is longer than ", kLongestText >> 20, " MiB; is it a prompt file?");
  const auto line_at = [&](std::size_t at) {
    return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  };
  if (const auto end = utf8_end(text); end < text.size())
    fail(file, line_at(end), "is not UTF-8 text; save it with that encoding");
  // Parsers of YAML take some of them for the end of the file.
  const auto bad =
      std::find_if(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\r'; });
  if (bad != text.end()) {
    fail(file, line_at(static_cast<std::size_t>(bad - text.begin())),
         "holds control characters; take them out");
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::string lines;
  lines.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      lines += text[i];
    } else if (!text.substr(i + 1).starts_with('\n')) {
      lines += '\n';
    }
  }
  return lines;
}

void read_lines(const std::string& text, Segments& segments) {
  std::istringstream lines(text);
  std::string line;
  for (std::int64_t number = 1; std::getline(lines, line); ++number) {
    auto prompt = trimmed(line);
    if (!prompt.empty() && prompt.front() != '#')
      segments.add({.prompt = std::move(prompt)}, number);
  }
}

/// Of the first line that is neither blank nor a comment; the text's size if there is none.
std::size_t first_content(const std::string& text) {
  std::size_t at = 0;
  for (;;) {
    at = std::min(text.find_first_not_of(" \t\n", at), text.size());
    if (at == text.size() || text[at] != '#') return at;
    at = std::min(text.find('\n', at), text.size());
  }
}

/// What follows `prompts =`; nothing if the text does not begin so.
std::optional<std::size_t> literal_start(const std::string& text) {
  auto at = first_content(text);
  for (const std::string_view part : {"prompts", "="}) {
    at = std::min(text.find_first_not_of(" \t", at), text.size());
    if (text.compare(at, part.size(), part) != 0) return std::nullopt;
    at += part.size();
  }
  return at;
}

std::string lowercase_ending(const std::string& file) {
  return lower_case(fs::path(file).extension().string());
}

}  // namespace

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\f\v";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 80;
  auto size = std::min(text.size(), kMost);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
    --size;  // not through a character
  std::string line(text.substr(0, size));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return is_control(c) || c == '\n' || c == '\t'; },
      ' ');
  return size < text.size() ? line + "..." : line;
}

void Segments::check_text(std::string_view key, const std::string& text, std::int64_t line) const {
  // The YAML parser makes single bytes of the escapes \N and \_.
  if (utf8_end(text) < text.size())
    fail(file_, line, "`", key, "` holds an escape that is no text; write the character itself");
  if (std::any_of(text.begin(), text.end(), is_control) || has_wide_control(text))
    fail(file_, line, "`", key, "` holds control characters; take them out");
}

void Segments::add(PromptSegment segment, std::int64_t line) {
  if (segment.prompt.empty()) fail(file_, line, "a prompt is empty; say what the clip shows");
  if (segment.prompt.size() > kLongestPrompt) {
    fail(file_, line, "a prompt of ", segment.prompt.size(), " bytes; the longest may have ",
         kLongestPrompt, ". Does a quote stand open?");
  }
  check_text("prompt", segment.prompt, line);
  check_text("image", segment.image, line);
  if (segments_.size() == kMostSegments) fail(file_, line, "more than ", kMostSegments, " prompts");
  if (!segment.image.empty())
    segment.image = (fs::path(file_).parent_path() / segment.image).string();
  segment.origin = cat(file_, ":", line);
  segments_.push_back(std::move(segment));
}

}  // namespace prompts

std::vector<PromptSegment> parse_prompts(const std::string& text, const std::string& file) {
  const auto clean = prompts::cleaned(text, file);
  const auto ending = prompts::lowercase_ending(file);
  prompts::Segments segments(file);
  if (ending == ".json") {
    prompts::read_json(clean, segments);
  } else if (ending == ".yaml" || ending == ".yml") {
    prompts::read_yaml(clean, segments);
  } else if (const auto start = prompts::literal_start(clean)) {
    prompts::read_literal(clean, *start, segments);
  } else if (ending == ".py") {
    raise<ConfigError>(file, ": does not begin with `prompts = [`; Python is not run, only such a ",
                       "list is read. Or write one prompt per line into a .txt file");
  } else {
    prompts::read_lines(clean, segments);
  }
  auto found = segments.take();
  if (found.empty()) raise<ConfigError>(file, ": holds no prompt; write one per line");
  return found;
}

std::vector<PromptSegment> read_prompts(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) raise<ConfigError>(path, ": cannot be opened; is the path right?");
  // What has no end (a device, a pipe) is not read to its end: one byte too many is enough.
  std::string text(prompts::kLongestText + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) raise<ConfigError>(path, ": cannot be read; is it a folder?");
  text.resize(static_cast<std::size_t>(in.gcount()));
  return parse_prompts(text, path);
}

}  // namespace svi
