#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storytellers.hpp"

namespace svi {

/// The JSON body of a chat request: the task, the picture, and, to mend a story, each earlier
/// answer with what was wrong with it. Private to story/, as all of this header.
struct ChatTurn {
  std::string answer, problem;  // as the model gave it; what is wrong with it
};
std::string chat_request(const MllmTeller::Config& config, const std::string& model,
                         const StoryRequest& request, const std::vector<ChatTurn>& turns);

/// What the model says in a chat completion. Throws IoError naming `server` where the body is none.
std::string said_in(const std::string& body, const std::string& server);

/// The beats of a model's answer; `problem` tells what is wrong with its form, else stays empty.
std::vector<StoryBeat> beats_of_answer(std::string_view answer, std::string& problem);

/// Beats as text and back, for the cache: the text of an answer.
std::string answer_of_beats(const std::vector<StoryBeat>& beats);

/// The first model that a server lists. Throws IoError naming `server`.
std::string first_model(const std::string& body, const std::string& server);

}  // namespace svi
