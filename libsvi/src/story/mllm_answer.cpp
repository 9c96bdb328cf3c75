#include "mllm_answer.hpp"

#include <nlohmann/json.hpp>

#include "picture_bytes.hpp"
#include "svi/core/base64.hpp"
#include "svi/core/check.hpp"
#include "svi/core/printable.hpp"

namespace svi {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostEchoed = 4000;  // bytes of a wrong answer that the model is shown again

Json beat_schema(std::int64_t clips) {
  const Json text = {{"type", "string"}};
  const Json beat = {{"type", "object"},
                     {"properties", {{"state", text}, {"motion", text}}},
                     {"required", Json::array({"state", "motion"})},
                     {"additionalProperties", false}};
  const Json beats = {{"type", "array"}, {"items", beat}, {"minItems", clips}, {"maxItems", clips}};
  return {{"type", "object"},
          {"properties", {{"beats", beats}}},
          {"required", Json::array({"beats"})},
          {"additionalProperties", false}};
}

std::string task(const StoryRequest& request) {
  std::string text = cat(
      "You plan a film that begins with the given picture and is made clip by clip, five seconds "
      "each, without a cut. Its keyword is: ",
      request.keyword, ".\n");
  if (!request.caption.empty())
    text += cat("The picture is described as: ", request.caption, ".\n");
  text += cat(
      "Write ", request.clips,
      " beats, one for each clip, in order. Each beat has two texts in English: `state`, what is "
      "to "
      "be seen (subject, place, light), and `motion`, what moves in this clip and how the camera "
      "moves. The first state describes the picture. Each next beat goes on from the one before "
      "and "
      "changes something that can be seen. No two beats are alike. Each text is one sentence of 5 "
      "to 40 words, without line breaks.\n"
      "Answer with JSON alone: {\"beats\": [{\"state\": \"...\", \"motion\": \"...\"}, ...]}.");
  return text;
}

/// A text as one line: runs of white space become a space, none at the ends.
std::string joined_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space) line += c;
    if (space && !line.empty() && line.back() != ' ') line += ' ';
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::string as_sentence(std::string text) {
  if (!text.empty() && std::string_view(".!?").find(text.back()) == std::string_view::npos)
    text += '.';
  return text;
}

/// Without the fence of Markdown that models like to put around JSON.
std::string_view unfenced(std::string_view text) {
  const auto open = text.find('{'), close = text.rfind('}');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return text;
  const auto before = text.substr(0, open);
  return before.find("```") == std::string_view::npos ? text : text.substr(open, close - open + 1);
}

[[noreturn]] void foreign_answer(const std::string& server, std::string_view body) {
  raise<IoError>(server, ": does not answer as an OpenAI-compatible chat API does; it says '",
                 printable(body, 80), "'. Is [storyteller] url right? It ends with /v1 mostly");
}

}  // namespace

std::string chat_request(const MllmTeller::Config& config, const std::string& model,
                         const StoryRequest& request, const std::vector<ChatTurn>& turns) {
  Json content = Json::array({{{"type", "text"}, {"text", task(request)}}});
  if (config.picture) {
    const auto type = picture_type(picture_ending(request.picture));
    content.push_back(
        {{"type", "image_url"},
         {"image_url", {{"url", cat("data:", type, ";base64,", base64(request.picture))}}}});
  }
  Json messages = Json::array({{{"role", "user"}, {"content", content}}});
  for (const auto& turn : turns) {
    messages.push_back({{"role", "assistant"}, {"content", turn.answer.substr(0, kMostEchoed)}});
    messages.push_back({{"role", "user"},
                        {"content", cat("That does not fit: ", turn.problem,
                                        ". Answer again, with the whole JSON alone.")}});
  }
  Json body = {{"model", model},
               {"messages", messages},
               {"temperature", config.temperature},
               {"max_tokens", config.most_tokens},
               {"seed", request.seed},
               {"stream", false}};
  if (config.form == AnswerForm::json_object) body["response_format"] = {{"type", "json_object"}};
  if (config.form == AnswerForm::json_schema) {
    body["response_format"] = {
        {"type", "json_schema"},
        {"json_schema",
         {{"name", "story"}, {"strict", true}, {"schema", beat_schema(request.clips)}}}};
  }
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string said_in(const std::string& body, const std::string& server) {
  const auto json = Json::parse(body, nullptr, false);
  if (!json.is_object()) foreign_answer(server, body);
  const auto choices = json.find("choices");
  if (choices == json.end() || !choices->is_array() || choices->empty() ||
      !choices->front().is_object())
    foreign_answer(server, body);
  const auto message = choices->front().find("message");
  if (message == choices->front().end() || !message->is_object()) foreign_answer(server, body);
  const auto content = message->find("content");
  if (content == message->end() || !content->is_string()) return {};
  return content->get<std::string>();
}

std::vector<StoryBeat> beats_of_answer(std::string_view answer, std::string& problem) {
  problem.clear();
  const auto json = Json::parse(unfenced(answer), nullptr, false);
  const auto wrong = [&](const std::string& what) {
    problem = what;
    return std::vector<StoryBeat>();
  };
  if (json.is_discarded()) return wrong("it is not valid JSON, or is cut off");
  if (!json.is_object() || !json.contains("beats") || !json["beats"].is_array())
    return wrong("it is no JSON object with the list `beats`");
  std::vector<StoryBeat> beats;
  for (const auto& item : json["beats"]) {
    const auto text = [&](const char* name) -> std::string {
      if (!item.is_object() || !item.contains(name) || !item[name].is_string()) {
        if (problem.empty()) problem = cat("beat ", beats.size() + 1, " has no text `", name, "`");
        return {};
      }
      return joined_line(item[name].get<std::string>());
    };
    StoryBeat beat{text("state"), text("motion"), {}};
    if (!problem.empty()) return {};
    beat.prompt = as_sentence(beat.state) + " " + as_sentence(beat.motion);
    beats.push_back(std::move(beat));
  }
  return beats;
}

std::string answer_of_beats(const std::vector<StoryBeat>& beats) {
  Json list = Json::array();
  for (const auto& beat : beats) list.push_back({{"state", beat.state}, {"motion", beat.motion}});
  return Json{{"beats", list}}.dump();
}

std::string first_model(const std::string& body, const std::string& server) {
  const auto json = Json::parse(body, nullptr, false);
  if (json.is_object() && json.contains("data") && json["data"].is_array()) {
    for (const auto& entry : json["data"]) {
      if (entry.is_object() && entry.contains("id") && entry["id"].is_string())
        return entry["id"].get<std::string>();
    }
  }
  raise<IoError>(server, ": lists no model; name one with [storyteller] model");
}

}  // namespace svi
