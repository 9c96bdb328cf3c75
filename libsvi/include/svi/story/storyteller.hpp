#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "svi/plugin/component.hpp"

namespace svi {

/// What one clip of a story shows.
struct StoryBeat {
  std::string state;   // what is there: subject, place, light
  std::string motion;  // what moves, and how
  std::string prompt;  // both, as the model is told: one line
};

/// What a story is asked for.
struct StoryRequest {
  std::string keyword;                 // UTF-8, not empty
  std::int64_t clips = 1;              // beats of the story, one for each clip
  std::int64_t seed = 0;               // another one tells another story
  std::string caption = {};            // what the picture shows, where its source says so
  std::string picture = {};            // the bytes of its file
  std::filesystem::path weights = {};  // folder of the weights that will make the film
  std::filesystem::path cache = {};    // folder of kept answers; empty: none
  /// What is wrong with a story, for tellers that can mend one; empty if nothing is.
  std::function<std::string(const std::vector<StoryBeat>&)> problem = {};
};

/// Tells what happens after a picture, clip by clip.
///
/// A function of the request; a teller that asks somebody else keeps the answer.
class SVI_EXPORT Storyteller : public Component {
 public:
  static constexpr std::string_view kKind = "storyteller";
  ~Storyteller() override;

  /// One beat for each clip. Throws IoError where the story is not as it must be, or nobody
  /// answers.
  std::vector<StoryBeat> tell(const StoryRequest& request) const;

 private:
  virtual std::vector<StoryBeat> do_tell(const StoryRequest& request) const = 0;
};

}  // namespace svi
