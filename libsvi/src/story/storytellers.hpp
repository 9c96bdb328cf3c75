#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/io/http.hpp"
#include "svi/story/storyteller.hpp"

namespace svi {

/// Stories by rules, without a network: see Grammar. Private to story/, as all of this header.
class GrammarTeller final : public Storyteller {
 public:
  struct Config {
    std::string file;
    void describe(OptionVisitor& visit);
  };
  explicit GrammarTeller(Config config) : config_(std::move(config)) {}

 private:
  std::vector<StoryBeat> do_tell(const StoryRequest& request) const override;
  Config config_;
};

/// How a server is told which form the answer must have.
enum class AnswerForm {
  json_schema,  // response_format of type json_schema
  json_object,  // response_format of type json_object
  none,         // the words of the request alone
};
inline std::vector<std::string> enum_names(AnswerForm) {
  return {"json_schema", "json_object", "none"};
}

/// Stories by a multimodal language model behind an OpenAI-compatible chat API, as vLLM, llama.cpp,
/// SGLang and Ollama serve it. The model sees the picture.
class MllmTeller final : public Storyteller {
 public:
  struct Config {
    std::string url = "http://localhost:8000/v1";
    std::string model;
    std::string key_variable = "SVI_STORY_KEY";
    AnswerForm form = AnswerForm::json_schema;
    double temperature = 0.7;
    std::int64_t most_tokens = 8192;
    std::int64_t repairs = 2;
    double connect_seconds = 10, seconds = 300;
    std::int64_t retries = 3;
    double backoff = 1;
    std::int64_t most_kib = 1024;
    bool picture = true;
    void describe(OptionVisitor& visit);
  };
  explicit MllmTeller(Config config) : config_(std::move(config)) {}

 private:
  std::vector<StoryBeat> do_tell(const StoryRequest& request) const override;
  std::string model_name() const;
  std::string ask(const std::string& path, const std::string& body) const;
  Config config_;
};

}  // namespace svi
