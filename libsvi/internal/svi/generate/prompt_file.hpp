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
  blend,    // as continue, but for some clips the text lies between the two prompts
};
inline std::vector<std::string> enum_names(Transition) { return {"continue", "cut", "blend"}; }

/// A stretch of a film with one prompt.
struct PromptSegment {
  std::string prompt;      // UTF-8, not empty, at most 64 KiB; may hold line breaks and tabs
  double seconds = 0;      // how long it lasts, up to 1e6; 0: not given
  std::int64_t clips = 0;  // the same in clips, up to 1e6; 0: not given
  std::optional<std::int64_t> seed = {};        // not negative
  Transition transition = Transition::proceed;  // from the one before
  std::int64_t blend = 0;   // clips of a blend between the prompts, up to 1e6; 0: not given
  std::string image = {};   // of a cut, and only there: a path, not opened here
  std::string origin = {};  // "film.yaml:12", for messages
};

/// Reads the prompts of a film from a text in one of these forms.
///   - `.json`, `.yaml` or `.yml`, by the ending of `file`: a list, or a mapping with that list
///     under `prompts`. Items are texts or mappings with the keys `prompt`, `duration` (seconds) or
///     `clips`, `seed`, `transition` (continue, cut, blend), `image` and `blend`. A cut needs an
///     image, and only a cut takes one; in the first segment it is the image that the film starts
///     from. `blend` is how many clips a blend takes, 1 by default; the first segment has none.
///   - `prompts = [ "...", '...' ]`, as the reference keeps them: read as Python reads string
///     literals and never run. Anything but strings and comments is refused.
///   - else one prompt per line; blank lines and lines that begin with # are passed over. A `.py`
///     file is never read in this way.
///
/// `file` is named in errors, and images are relative to its folder. YAML anchors, aliases, tags
/// and second documents are refused, so no text takes more memory or time than its length tells.
/// Throws ConfigError naming file, line, key and remedy; also where the text is longer than 4 MiB,
/// is not UTF-8, holds control characters, no prompt or more than 100,000 of them.
SVI_EXPORT std::vector<PromptSegment> parse_prompts(const std::string& text,
                                                    const std::string& file);
/// The same from a file. Throws ConfigError too if it cannot be read.
SVI_EXPORT std::vector<PromptSegment> read_prompts(const std::string& path);

}  // namespace svi
