#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/story/storyteller.hpp"

namespace svi {

/// `[grammar]`: how the texts of a beat are made of values. {NAME} stands for the value of
/// [slot.NAME]; {keyword} for the story's keyword, {state} and {motion}, in `prompt`, for those.
struct GrammarConfig {
  std::string state, motion, prompt;
  std::vector<std::string> distinct;
  std::int64_t changes = 1;

  void describe(OptionVisitor& visit);
};

/// `[slot.NAME]`: the values that a part of a prompt can have.
struct SlotConfig {
  std::vector<std::string> values;
  double change = 1;

  void describe(OptionVisitor& visit);
};

/// Prompts by rules: slots with values, and texts with places for them.
///
/// A story begins with the values that the picture's caption tells, where it has the form of
/// `prompt`, else with drawn ones. From beat to beat some slots get another value, drawn by their
/// weights; no beat has the values of an earlier one. A function of keyword, caption, count and
/// seed.
class SVI_EXPORT Grammar {
 public:
  /// Throws ConfigError naming file, section and key: a place without a slot, a slot without
  /// values, slots that must differ and cannot.
  explicit Grammar(const Document& document);

  /// Throws ConfigError where it has fewer different beats than are asked for.
  std::vector<StoryBeat> tell(std::string_view keyword, std::string_view caption,
                              std::int64_t clips, std::int64_t seed) const;

 private:
  using Values = std::vector<std::size_t>;  // of each slot
  struct Slot {
    std::string name;
    std::vector<std::string> values;
    double change;
    bool distinct = false;  // from the other slots that are
  };

  void check() const;
  StoryBeat beat(const Values& values, std::string_view keyword) const;
  bool fits(const Values& values) const;
  bool read(std::string_view caption, Values& values) const;
  class Draws;
  Values drawn(Draws& draws) const;
  bool change_one(Values& values, Draws& draws) const;

  std::string file_;
  GrammarConfig config_;
  std::vector<Slot> slots_;
};

/// The grammar of a folder of weights, its grammar.ini; without one, the library's own.
SVI_EXPORT Document grammar_document(const std::filesystem::path& weights);

}  // namespace svi
