#include "svi/story/grammar.hpp"

#include <algorithm>
#include <set>

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/core/sha256.hpp"
#include "svi/story/prompt_check.hpp"

namespace svi {
namespace {

constexpr std::string_view kSlotPrefix = "slot.";
constexpr int kMostTries = 1000;  // draws for one beat, before there is none

/// The text with `put(NAME)` in the place of each {NAME}.
template <class Put>
std::string filled(const std::string& text, const Put& put) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto open = std::min(text.find('{', at), text.size());
    out += text.substr(at, open - at);
    const auto close = text.find('}', open);
    if (open == text.size() || close == std::string::npos) return out + text.substr(open);
    out += put(text.substr(open + 1, close - open - 1));
    at = close + 1;
  }
  return out;
}

/// A seed of a text and a number, the same everywhere.
std::uint64_t story_seed(std::string_view text, std::int64_t seed) {
  const auto digits = sha256_hex(text).substr(0, 16);
  return derive_seed(std::stoull(digits, nullptr, 16), static_cast<std::uint64_t>(seed));
}

}  // namespace

void GrammarConfig::describe(OptionVisitor& visit) {
  visit(state, {.key = "state", .help = "what is there: text with {NAME} for slots"});
  visit(motion, {.key = "motion", .help = "what moves: text with {NAME} for slots"});
  visit(prompt, {.key = "prompt", .help = "the prompt: text with {NAME}, {state}, {motion}"});
  visit(distinct, {.key = "distinct", .help = "slots that never have the same value"});
  visit(changes, {.key = "changes",
                  .help = "slots that get another value from one clip to the next",
                  .min = 1,
                  .max = 100});
}

void SlotConfig::describe(OptionVisitor& visit) {
  visit(values, {.key = "values", .help = "what can stand in the slot"});
  visit(change, {.key = "change",
                 .help = "how often it changes, against the other slots; 0: never",
                 .min = 0,
                 .max = 1e6});
}

/// The numbers of one story, in the order they are asked for.
class Grammar::Draws {
 public:
  explicit Draws(std::uint64_t seed) : key_{seed, Purpose::data_content, 0, 0} {}
  std::size_t below(std::size_t count) { return uniform_index(key_, count, next_++); }
  double share() { return uniform(key_, next_++); }

 private:
  RandomKey key_;
  std::uint32_t next_ = 0;
};

Grammar::Grammar(const Document& document)
    : file_(document.file()), config_(parse_config<GrammarConfig>(document, "grammar")) {
  for (const auto& section : document.sections()) {
    if (section.name == "grammar") continue;
    if (!section.name.starts_with(kSlotPrefix)) {
      raise<ConfigError>(section.origin, ": there is no section [", section.name,
                         "] in a grammar; sections are [grammar] and [slot.NAME]");
    }
    const auto name = section.name.substr(kSlotPrefix.size());
    auto slot = parse_config<SlotConfig>(document, section.name);
    const auto& kept = config_.distinct;
    slots_.push_back({name, std::move(slot.values), slot.change,
                      std::find(kept.begin(), kept.end(), name) != kept.end()});
  }
  check();
}

void Grammar::check() const {
  const auto where = file_.empty() ? std::string("the grammar") : file_;
  for (const auto& slot : slots_) {
    if (slot.values.empty())
      raise<ConfigError>(where, ": [slot.", slot.name, "] has no values; give some, with commas");
  }
  for (const auto& name : config_.distinct) {
    if (std::none_of(slots_.begin(), slots_.end(), [&](const auto& s) { return s.name == name; }))
      raise<ConfigError>(where, ": [grammar] distinct names ", name, ", which is no slot");
  }
  for (const auto& [key, text] : {std::pair("state", &config_.state),
                                  {"motion", &config_.motion},
                                  {"prompt", &config_.prompt}}) {
    if (text->empty()) raise<ConfigError>(where, ": [grammar] ", key, " is missing");
    filled(*text, [&, of = std::string_view(key)](const std::string& name) {
      const bool known = name == "keyword" ||
                         (of == "prompt" && (name == "state" || name == "motion")) ||
                         std::any_of(slots_.begin(), slots_.end(),
                                     [&](const auto& slot) { return slot.name == name; });
      if (!known)
        raise<ConfigError>(where, ": [grammar] ", of, ": {", name, "} has no [slot.", name, "]");
      return std::string();
    });
  }
}

StoryBeat Grammar::beat(const Values& values, std::string_view keyword) const {
  StoryBeat beat;
  const auto put = [&](const std::string& name) -> std::string {
    if (name == "keyword") return std::string(keyword);
    if (name == "state") return beat.state;
    if (name == "motion") return beat.motion;
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].name == name) return slots_[i].values[values[i]];
    return {};
  };
  beat.state = filled(config_.state, put);
  beat.motion = filled(config_.motion, put);
  beat.prompt = filled(config_.prompt, put);
  return beat;
}

bool Grammar::fits(const Values& values) const {
  std::set<std::string_view> taken;
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].distinct && !taken.insert(slots_[i].values[values[i]]).second) return false;
  return true;
}

/// The values that a caption of the prompt's form tells, by its words; false where it has none.
bool Grammar::read(std::string_view caption, Values& values) const {
  const auto words = words_of_text(caption);
  std::size_t at = 0;
  bool fit = !words.empty();
  const auto take = [&](std::string_view text) {
    const auto wanted = words_of_text(text);
    if (wanted.size() > words.size() - at) return false;
    if (!std::equal(wanted.begin(), wanted.end(), words.begin() + static_cast<long>(at)))
      return false;
    at += wanted.size();
    return true;
  };
  std::size_t from = 0;
  const auto& text = config_.prompt;
  while (fit && from < text.size()) {
    const auto open = std::min(text.find('{', from), text.size());
    fit = take(std::string_view(text).substr(from, open - from));
    if (!fit || open == text.size()) break;
    const auto close = text.find('}', open);
    const auto name = text.substr(open + 1, close - open - 1);
    const auto slot =
        std::find_if(slots_.begin(), slots_.end(), [&](const Slot& of) { return of.name == name; });
    fit = slot != slots_.end();
    if (!fit) break;
    const auto value = std::find_if(slot->values.begin(), slot->values.end(), take);
    fit = value != slot->values.end();
    if (fit)
      values[static_cast<std::size_t>(slot - slots_.begin())] =
          static_cast<std::size_t>(value - slot->values.begin());
    from = close + 1;
  }
  return fit && at == words.size();
}

Grammar::Values Grammar::drawn(Draws& draws) const {
  Values values(slots_.size());
  for (int left = kMostTries; left > 0; --left) {
    for (std::size_t i = 0; i < slots_.size(); ++i)
      values[i] = draws.below(slots_[i].values.size());
    if (fits(values)) return values;
  }
  raise<ConfigError>(file_.empty() ? "the grammar" : file_,
                     ": the slots of [grammar] distinct have too few values to differ");
}

/// Another value for one slot, chosen by the weights; false where the draw does not fit.
bool Grammar::change_one(Values& values, Draws& draws) const {
  double sum = 0;
  for (const auto& slot : slots_) sum += slot.values.size() > 1 ? slot.change : 0;
  auto left = draws.share() * sum;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const auto count = slots_[i].values.size();
    const auto weight = count > 1 ? slots_[i].change : 0;
    if (left >= weight) {
      left -= weight;
      continue;
    }
    const auto other = draws.below(count - 1);
    values[i] = other < values[i] ? other : other + 1;
    return fits(values);
  }
  return false;
}

std::vector<StoryBeat> Grammar::tell(std::string_view keyword, std::string_view caption,
                                     std::int64_t clips, std::int64_t seed) const {
  Draws draws(story_seed(keyword, seed));
  auto values = drawn(draws);
  read(caption, values);
  std::vector<StoryBeat> beats = {beat(values, keyword)};
  std::set<std::string> told = {beats.front().prompt};
  while (static_cast<std::int64_t>(beats.size()) < clips) {
    bool found = false;
    for (int left = kMostTries; left > 0 && !found; --left) {
      auto next = values;
      bool fit = true;
      for (auto changes = config_.changes; changes > 0 && fit; --changes)
        fit = change_one(next, draws);
      if (!fit) continue;
      auto made = beat(next, keyword);
      found = told.insert(made.prompt).second;
      if (!found) continue;
      values = next;
      beats.push_back(std::move(made));
    }
    if (!found) {
      raise<ConfigError>(file_.empty() ? "the grammar" : file_, ": has words for ", beats.size(),
                         " different clips, not for ", clips, "; add values to its slots");
    }
  }
  return beats;
}

}  // namespace svi
