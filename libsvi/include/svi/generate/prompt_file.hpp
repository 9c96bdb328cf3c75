#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// How a segment of a film follows the one before it.
enum class Transition {
  proceed,  // "continue": from the last frames of the clip before
  cut,      // a new scene, from an image of its own
};

/// A stretch of a film with one prompt.
struct PromptSegment {
  std::string prompt;
  double seconds = 0;      // how long it lasts; 0: not given
  std::int64_t clips = 0;  // the same in clips; 0: not given
  std::optional<std::int64_t> seed = {};
  Transition transition = Transition::proceed;
  std::string image = {};  // of a cut; relative to the file's folder
};

/// Reads prompts from a text of one of these forms; `file` names it in errors.
///   - one prompt per line; empty lines and lines that begin with # are passed over;
///   - `prompts = [ "...", '...', ]`, as the reference keeps them: read as a list of strings, never
///     run;
///   - JSON or YAML (chosen by the ending of `file`: .json, .yaml, .yml): a list, or a mapping with
///     the list under `prompts`, whose items are strings or mappings with the keys prompt, duration
///     (seconds) or clips, seed, transition (continue, cut) and image.
/// Throws ConfigError naming file, line and key.
SVI_EXPORT std::vector<PromptSegment> parse_prompts(const std::string& text,
                                                    const std::string& file);
/// The same from a file of at most 16 MiB.
SVI_EXPORT std::vector<PromptSegment> read_prompts(const std::string& path);

}  // namespace svi
