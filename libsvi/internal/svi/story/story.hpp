#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/plugin/registry.hpp"
#include "svi/story/image_source.hpp"
#include "svi/story/storyteller.hpp"

namespace svi {

/// `[story]`: what a story is about, and what its prompts must keep to.
struct StoryConfig {
  std::string keyword;
  std::int64_t clips = 10;
  std::int64_t seed = 0;
  std::string model;
  std::string tokenizer;
  std::int64_t longest_tokens = 512;
  std::int64_t longest_words = 300;
  std::string cache = "default";

  void describe(OptionVisitor& visit);
  std::string problem() const;
};

/// A film before it is made: a picture and a prompt for each clip.
struct Story {
  StoryPicture picture;          // what the film begins with
  std::vector<StoryBeat> beats;  // one per clip
  std::string frame_name;        // "frame.jpg", by the picture's kind
  std::string prompt_text;       // content of prompt.txt, in the published form
  std::string description;       // content of story.json
};

/// Finds the picture and tells the story that the settings ask for: [story], [image_source] and
/// [storyteller], whose types are world and grammar for weights that were trained here, and
/// openverse and grammar for others. The registry must have what the folder of weights names.
/// Throws ConfigError or IoError.
SVI_EXPORT Story tell_story(const Document& settings, const Registry& registry);

/// Writes the story as a sample folder: the picture, prompt.txt and story.json. The folder appears
/// whole or not at all; one that holds these very files already stays as it is. Throws ConfigError
/// where another thing has its name, IoError where it cannot be written.
SVI_EXPORT void write_story(const Story& story, const std::filesystem::path& folder);

/// The keyword as the name of a folder or file: letters and digits, with _ between words.
SVI_EXPORT std::string story_name(const std::string& keyword);

/// Whether a setting, "section.key=value", belongs to a story.
SVI_EXPORT bool is_story_setting(std::string_view setting);

/// The keyword that the story.json of a folder names; empty where there is none, or another file of
/// that name.
SVI_EXPORT std::string keyword_of_story(const std::filesystem::path& folder);

}  // namespace svi
