#include <filesystem>
#include <string>

#include "svi/io/data_folder.hpp"
#include "svi/pretrained/folder_settings.hpp"
#include "svi/story/grammar.hpp"

namespace svi {
namespace {

constexpr const char* kGrammarFile = "grammar.ini";

/// Prompts about any keyword, for models that know the real world: the subject stays, while what it
/// does, the light, the place and the camera change.
constexpr const char* kOwnGrammar = R"([grammar]
state = {keyword}, {place}, {light}
motion = {action}, while {around}; {camera}
prompt = {state}. {motion}.
changes = 2

[slot.place]
values = on open ground, at the edge of a forest, beside still water, in a quiet street, on a hill with a wide view, in a large bright hall
change = 0.5

[slot.light]
values = in soft morning light, under a clear midday sky, in warm evening light, under drifting clouds, in light mist, after rain
change = 1

[slot.action]
values = the subject moves slowly forward, the subject turns to the left, the subject turns to the right, the subject comes closer, the subject moves away, the subject pauses and then goes on, the subject passes from left to right, the subject passes from right to left
change = 4

[slot.around]
values = leaves stir in the wind, shadows travel over the ground, birds cross the sky, dust drifts through the light, people pass in the distance, the background slides by
change = 2

[slot.camera]
values = the camera follows at the same distance, the camera moves in slowly, the camera pulls back slowly, the camera pans gently to the left, the camera pans gently to the right, the camera stays still, the camera rises a little
change = 2
)";

bool is_of_trained(const std::filesystem::path& weights) {
  return weights.empty() || std::filesystem::exists(weights / "dit.safetensors");
}

}  // namespace

Document grammar_document(const std::filesystem::path& weights) {
  // Weights that were trained here and say nothing of their own are used as the default ones are.
  if (!weights.empty() && std::filesystem::is_regular_file(weights / kGrammarFile))
    return Document::read((weights / kGrammarFile).string());
  const auto usual = weights_folder(kDefaultFolder);
  const bool own_settings = std::filesystem::exists(weights / "folder.ini");
  if (is_of_trained(weights) && !own_settings && std::filesystem::exists(usual / kGrammarFile))
    return Document::read((usual / kGrammarFile).string());
  return Document::parse(kOwnGrammar, "");
}

}  // namespace svi
