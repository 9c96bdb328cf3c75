#include "svi/config/command_line.hpp"

#include <filesystem>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

bool takes_value(const CommandPart& part) {
  return part.words.size() > 1 ||
         (!part.words.empty() && part.words.front().find('=') != std::string::npos);
}

/// The value of an option as typed: its last word, or what follows "--option=".
std::string value_of(const CommandPart& part) {
  if (part.words.size() > 1 || part.option.empty()) return part.words.back();
  return part.words.front().substr(part.words.front().find('=') + 1);
}

std::string with_value(const CommandPart& part, const std::string& value) {
  if (part.option.empty()) return shell_quoted(value);
  if (part.words.size() > 1) return shell_quoted(part.words.front()) + " " + shell_quoted(value);
  const auto& word = part.words.front();
  return word.substr(0, word.find('=') + 1) + shell_quoted(value);
}

bool is_file(const std::string& text) {
  std::error_code error;
  return fs::exists(text, error);
}

/// An option and the stray words behind it, as they were probably meant.
std::string meant(const CommandPart& part, const std::vector<std::string>& stray, bool repeatable) {
  auto joined = value_of(part);
  for (const auto& word : stray) joined += " " + word;
  const bool files = repeatable && std::all_of(stray.begin(), stray.end(), is_file);
  if (!files || is_file(joined)) return with_value(part, joined);
  auto text = with_value(part, value_of(part));
  for (const auto& word : stray) text += " --" + part.option + " " + shell_quoted(word);
  return text;
}

}  // namespace

std::string shell_quoted(const std::string& word) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  if (word.find_first_of("\"$`\\!") == std::string::npos) return "\"" + word + "\"";
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

void refuse_stray_words(const std::string& program, const std::vector<CommandPart>& parts,
                        const std::vector<std::string>& repeatable) {
  std::vector<std::string> all;
  std::string command = program;
  bool sure = true;  // that the command is what was meant
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& part = parts[i];
    std::vector<std::string> stray;
    while (i + 1 < parts.size() && parts[i + 1].stray) stray.push_back(parts[++i].words.back());
    if (part.stray) stray.insert(stray.begin(), part.words.back());
    for (const auto& word : stray) all.push_back(shell_quoted(word));
    const bool follows = !part.stray && (part.option.empty() || takes_value(part));
    if (!stray.empty() && follows) {
      const auto found = std::find(repeatable.begin(), repeatable.end(), part.option);
      command += " " + meant(part, stray, found != repeatable.end());
      continue;
    }
    sure = sure && stray.empty();
    for (const auto& word : part.words) command += " " + shell_quoted(word);
  }
  if (all.empty()) return;
  const auto what = join(all) + (all.size() == 1 ? " belongs" : " belong") + " to no option";
  if (!sure) raise<ConfigError>("command line: ", what, "; see ", program, " --help");
  raise<ConfigError>("command line: ", what, "; words with spaces need quotes, each file its own ",
                     "option. Is this meant?\n  ", command);
}

}  // namespace svi
