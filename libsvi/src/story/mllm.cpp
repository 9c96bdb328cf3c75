#include <cstdlib>

#include "mllm_answer.hpp"
#include "storytellers.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/printable.hpp"
#include "svi/story/answer_cache.hpp"

namespace svi {
namespace {

/// The same with another number at its end, where requests change their meaning.
constexpr const char* kQuestionForm = "story of an mllm, form 1";

/// The key of a server, from the environment alone; empty where there is none.
std::string key_from(const std::string& variable) {
  const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
  return value == nullptr ? "" : value;
}

}  // namespace

void MllmTeller::Config::describe(OptionVisitor& visit) {
  visit(url, {.key = "url",
              .help = "address of an OpenAI-compatible API: vLLM, llama.cpp's server, SGLang, "
                      "Ollama; mostly ends with /v1"});
  visit(model, {.key = "model",
                .help = "name of a model that sees pictures, such as Qwen/Qwen2.5-VL-7B-Instruct; "
                        "empty: the first that the server lists"});
  visit(key_variable, {.key = "key_variable",
                       .help = "environment variable with the server's key, which stands nowhere "
                               "else; a server without keys needs none"});
  visit(form, {.key = "form",
               .help = "how the server is told the form of the answer; none where it refuses the "
                       "others"});
  visit(temperature, {.key = "temperature", .help = "0: the likeliest words", .min = 0, .max = 2});
  visit(most_tokens,
        {.key = "most_tokens", .help = "longest answer", .unit = "tokens", .min = 16, .max = 1e6});
  visit(repairs, {.key = "repairs",
                  .help = "how often the model may mend an answer that does not fit",
                  .min = 0,
                  .max = 20});
  visit(connect_seconds, {.key = "connect_seconds",
                          .help = "how long a connection is waited for",
                          .unit = "s",
                          .min = 0.1,
                          .max = 600});
  visit(seconds, {.key = "seconds",
                  .help = "how long an answer is waited for",
                  .unit = "s",
                  .min = 0.1,
                  .max = 36000});
  visit(retries, {.key = "retries",
                  .help = "more tries where the server is busy or not there",
                  .min = 0,
                  .max = 10});
  visit(backoff, {.key = "backoff",
                  .help = "pause before the first of them; doubles with each",
                  .unit = "s",
                  .min = 0,
                  .max = 60});
  visit(most_kib, {.key = "most_kib",
                   .help = "longest answer that is read",
                   .unit = "KiB",
                   .min = 1,
                   .max = 65536});
  visit(picture, {.key = "picture", .help = "show the picture to the model"});
}

/// The body of an answer; GET without a body.
std::string MllmTeller::ask(const std::string& path, const std::string& body) const {
  HttpLimits limits;
  limits.connect_seconds = config_.connect_seconds;
  limits.seconds = config_.seconds;
  limits.retries = config_.retries;
  limits.backoff_seconds = config_.backoff;
  limits.most_bytes = config_.most_kib << 10;
  const auto address = config_.url + path;
  auto answer =
      ask_server({.url = address, .body = body, .key = key_from(config_.key_variable)}, limits);
  if (answer.status == 200) return std::move(answer.body);
  std::string remedy = "; it says '" + printable(answer.body, 200) + "'";
  if (answer.status == 401 || answer.status == 403) {  // what it says may hold the key
    remedy = "; put its key into the environment variable " + config_.key_variable;
  } else if (answer.status >= 300 && answer.status < 400) {
    remedy = "; it sends requests elsewhere: give that address as [storyteller] url";
  } else if (!config_.key_variable.empty() && !key_from(config_.key_variable).empty()) {
    remedy = "";
  }
  raise<IoError>(shown_url(address), ": answers with state ", answer.status, remedy);
}

std::string MllmTeller::model_name() const {
  if (!config_.model.empty()) return config_.model;
  return first_model(ask("/models", ""), shown_url(config_.url));
}

std::vector<StoryBeat> MllmTeller::do_tell(const StoryRequest& request) const {
  const auto server = shown_url(config_.url);
  const auto model = model_name();
  const auto question =
      cat(kQuestionForm, '\n', config_.url, '\n', chat_request(config_, model, request, {}));
  const AnswerCache cache(request.cache);
  std::string problem;
  if (const auto kept = cache.find(question)) {
    auto beats = beats_of_answer(*kept, problem);
    if (problem.empty() && (!request.problem || request.problem(beats).empty())) return beats;
  }
  std::vector<ChatTurn> turns;
  for (std::int64_t repair = 0; repair <= config_.repairs; ++repair) {
    SVI_INFO("story", "asking ", printable(model), " at ", server, " for ", request.clips,
             " prompts", repair > 0 ? cat(", mending: ", problem) : "");
    const auto said =
        said_in(ask("/chat/completions", chat_request(config_, model, request, turns)), server);
    auto beats = beats_of_answer(said, problem);
    if (problem.empty() && request.problem) problem = request.problem(beats);
    if (problem.empty()) {
      cache.keep(question, answer_of_beats(beats));
      return beats;
    }
    problem = printable(problem, 1000);
    turns = {{said, problem}};  // the last one alone: requests do not grow
  }
  raise<IoError>(server, ": ", printable(model), " gave no story that fits, in ",
                 config_.repairs + 1, " answers; the last one: ", problem,
                 ". Try more [storyteller] repairs, another model, or fewer clips");
}

}  // namespace svi
