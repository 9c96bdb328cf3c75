#include "svi/story/prompt_check.hpp"

#include <map>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/printable.hpp"
#include "svi/core/text.hpp"

namespace svi {
namespace {

constexpr std::size_t kMostFaults = 5, kMostPromptBytes = 16 << 10, kFewestWords = 2;

/// What is wrong with a text as a line of a prompt file; empty if nothing is.
std::string line_fault(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.size() > kMostPromptBytes) return cat("has ", text.size(), " bytes");
  if (utf8_end(text) < text.size()) return "is not UTF-8";
  for (std::size_t at = 0; at < text.size();) {
    const auto character = utf8_character(text, at);
    if (is_hidden(character.code)) return "holds control or hidden characters";
    at += character.size;
  }
  if (text.front() == '#') return "begins with #, as comments do";
  if (text.front() == ' ' || text.back() == ' ') return "begins or ends with a space";
  return {};
}

std::string beat_fault(const StoryBeat& beat, const PromptRules& rules) {
  for (const auto& [what, text] : {std::pair("prompt", std::string_view(beat.prompt)),
                                   {"state", beat.state},
                                   {"motion", beat.motion}}) {
    if (const auto fault = line_fault(text); !fault.empty()) return cat("its ", what, " ", fault);
    if (words_of_text(text).size() < kFewestWords)
      return cat("its ", what, " '", printable(text, 40), "' has less than two words");
  }
  if (words_of_text(beat.state) == words_of_text(beat.motion))
    return "its state and its motion are the same";
  if (const auto length = rules.length(beat.prompt); length > rules.longest)
    return cat("has ", length, " ", rules.unit, "; at most ", rules.longest, " are read");
  return {};
}

}  // namespace

std::vector<std::string> words_of_text(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : lower_case(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || byte >= 0x80) {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::string story_problem(const std::vector<StoryBeat>& beats, const PromptRules& rules) {
  std::vector<std::string> faults;
  if (const auto count = static_cast<std::int64_t>(beats.size()); count != rules.clips)
    faults.push_back(cat("there are ", count, " prompts instead of ", rules.clips));
  std::map<std::vector<std::string>, std::size_t> seen;  // words -> number of the prompt, from 1
  for (std::size_t i = 0; i < beats.size() && faults.size() < kMostFaults; ++i) {
    if (const auto fault = beat_fault(beats[i], rules); !fault.empty()) {
      faults.push_back(cat("prompt ", i + 1, ": ", fault));
      continue;
    }
    const auto [first, is_new] = seen.try_emplace(words_of_text(beats[i].prompt), i + 1);
    if (!is_new) faults.push_back(cat("prompt ", i + 1, " repeats prompt ", first->second));
  }
  return join(faults, "; ");
}

}  // namespace svi
