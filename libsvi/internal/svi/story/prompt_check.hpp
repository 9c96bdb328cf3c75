#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/story/storyteller.hpp"

namespace svi {

/// What the prompts of a story must keep to.
struct PromptRules {
  std::int64_t clips = 1;    // as many beats
  std::int64_t longest = 0;  // of a prompt, in `unit`
  std::string unit = {};     // "words" or "tokens", for messages
  /// How many units a prompt has.
  std::function<std::int64_t(std::string_view)> length = {};
};

/// The words of a text: runs of letters, digits and bytes beyond ASCII, Latin letters in lower
/// case.
SVI_EXPORT std::vector<std::string> words_of_text(std::string_view text);

/// What is wrong with a story, a line for each of the first few faults; empty if nothing is. Each
/// prompt is one line of text without hidden characters, of at most `longest` units; state and
/// motion have two words at least and are not the same; no two prompts have the same words.
SVI_EXPORT std::string story_problem(const std::vector<StoryBeat>& beats, const PromptRules& rules);

}  // namespace svi
