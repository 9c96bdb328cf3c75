#pragma once

#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// An option of a command line with its value, or a word that belongs to none.
struct CommandPart {
  std::string option;              // full name without dashes; empty: a word that stands alone
  std::vector<std::string> words;  // as they were typed
  bool stray = false;              // belongs to no option, and the program takes no such word
};

/// What Boost.Program_options made of a command line, in the order in which it was typed.
template <class ParsedOptions>
std::vector<CommandPart> command_parts(const ParsedOptions& parsed) {
  std::vector<CommandPart> parts;
  for (const auto& option : parsed.options) {
    const bool alone = option.string_key.empty() || option.position_key >= 0;
    parts.push_back({alone ? std::string() : option.string_key, option.original_tokens, alone});
  }
  return parts;
}

/// Throws ConfigError if a word is stray: such as `red` and `car` of `--prompt a red car`, which
/// lack quotes. The message shows the command as it was probably meant. `repeatable`: options that
/// may be given several times, one value each.
SVI_EXPORT void refuse_stray_words(const std::string& program,
                                   const std::vector<CommandPart>& parts,
                                   const std::vector<std::string>& repeatable);

/// A word as a shell must be given it.
SVI_EXPORT std::string shell_quoted(const std::string& word);

}  // namespace svi
