#include "svi/story/story.hpp"

#include <memory>
#include <nlohmann/json.hpp>

#include "picture_bytes.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/printable.hpp"
#include "svi/core/sha256.hpp"
#include "svi/core/text.hpp"
#include "svi/encoder/small_text_encoder.hpp"
#include "svi/encoder/tokenizer.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/pretrained/folder_settings.hpp"
#include "svi/story/answer_cache.hpp"
#include "svi/story/prompt_check.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using StoryJson = nlohmann::ordered_json;

constexpr std::size_t kLongestKeyword = 500;                    // bytes
constexpr std::int64_t kMostCounted = 1'000'000;                // tokens of one prompt
constexpr const char* kTrainedTransformer = "dit.safetensors";  // of weights trained here

bool were_trained_here(const fs::path& weights) {
  return fs::is_regular_file(weights / kTrainedTransformer);
}

/// The tokenizer of official weights, where it is there.
std::shared_ptr<const Tokenizer> tokenizer_of(const StoryConfig& config, const fs::path& weights) {
  if (!config.tokenizer.empty())
    return std::make_shared<const Tokenizer>(Tokenizer::open(config.tokenizer));
  for (const auto* place : {"google/umt5-xxl", "tokenizer", "."}) {
    if (fs::is_regular_file(weights / place / "spiece.model"))
      return std::make_shared<const Tokenizer>(Tokenizer::open(weights / place / "spiece.model"));
  }
  return nullptr;
}

/// Words that a small encoder reads, where the weights have one.
PromptRules small_rules(const fs::path& weights, const Registry& registry, PromptRules rules) {
  Document document;
  document.set("text_encoder.type", folder_config(weights).text_encoder, "folder.ini");
  const std::shared_ptr<const SmallTextEncoder> encoder =
      registry.make<SmallTextEncoder>(document, "");
  const auto count = [](std::string_view text) {
    return static_cast<std::int64_t>(words_of_text(text).size());
  };
  rules.unit = encoder->unit();
  // As long as a text that has only just room: words of one letter.
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "a ";
  rules.longest = count(std::string_view(many).substr(0, encoder->read_bytes(many)));
  rules.length = [encoder, count, longest = rules.longest](std::string_view text) {
    return encoder->read_bytes(text) < text.size() ? std::max(count(text), longest + 1)
                                                   : std::min(count(text), longest);
  };
  return rules;
}

PromptRules rules_of(const StoryConfig& config, const fs::path& weights, const Registry& registry) {
  PromptRules rules{.clips = config.clips};
  if (were_trained_here(weights)) return small_rules(weights, registry, std::move(rules));
  if (const auto tokenizer = tokenizer_of(config, weights)) {
    rules.unit = "tokens";
    rules.longest = config.longest_tokens;
    rules.length = [tokenizer](std::string_view text) {
      return static_cast<std::int64_t>(tokenizer->encode(text, kMostCounted).size());
    };
    return rules;
  }
  rules.unit = "words";
  rules.longest = config.longest_words;
  rules.length = [](std::string_view text) {
    return static_cast<std::int64_t>(words_of_text(text).size());
  };
  return rules;
}

/// The prompts as the published samples keep them: a list of Python's, which JSON's texts are, too.
std::string list_of_prompts(const std::vector<StoryBeat>& beats) {
  std::string text = "prompts = [\n";
  for (const auto& beat : beats) text += "    " + StoryJson(beat.prompt).dump() + ",\n";
  return text + "]\n";
}

/// What a story says of itself. It tells no time: the same story has the same bytes.
std::string description_of(const Story& story, const StoryConfig& config, const PromptRules& rules,
                           const Document& resolved) {
  const auto& picture = story.picture;
  StoryJson parts = StoryJson::object();
  for (const auto& section : resolved.sections()) {
    for (const auto& entry : section.entries) parts[section.name][entry.key] = entry.value;
  }
  StoryJson prompts = StoryJson::array();
  for (const auto& beat : story.beats) {
    prompts.push_back({{"state", beat.state},
                       {"motion", beat.motion},
                       {"prompt", beat.prompt},
                       {rules.unit, rules.length(beat.prompt)}});
  }
  StoryJson all;
  all["format"] = "svi story 1";
  all["keyword"] = config.keyword;
  all["clips"] = config.clips;
  all["seed"] = config.seed;
  all["model"] = fs::path(config.model).filename().string();
  all["picture"] = {{"file", story.frame_name},
                    {"sha256", sha256_hex(picture.bytes)},
                    {"caption", picture.caption},
                    {"title", picture.title},
                    {"creator", picture.creator},
                    {"license", picture.license},
                    {"license_url", picture.license_url},
                    {"attribution", picture.attribution},
                    {"page", picture.page}};
  all["prompts"] = {{"file", "prompt.txt"},
                    {"sha256", sha256_hex(story.prompt_text)},
                    {"texts", std::move(prompts)}};
  all["settings"] = std::move(parts);
  return all.dump(2, ' ', false, StoryJson::error_handler_t::replace) + "\n";
}

}  // namespace

void StoryConfig::describe(OptionVisitor& visit) {
  visit(keyword, {.key = "keyword", .help = "what the film is about, a word or a few"});
  visit(clips, {.key = "clips",
                .help = "prompts of the story, one for each clip",
                .unit = "clips",
                .min = 1,
                .max = 10000});
  visit(seed, {.key = "seed", .help = "another one gives another story", .min = 0, .max = 1e15});
  visit(model,
        {.key = "model",
         .help = "folder of the weights that will make the film; empty: those that come with "
                 "svi"});
  visit(tokenizer,
        {.key = "tokenizer",
         .help = "spiece.model that counts tokens; empty: that of the folder of weights, "
                 "where it has one"});
  visit(longest_tokens, {.key = "longest_tokens",
                         .help = "longest prompt, with a tokenizer; umT5 reads 512",
                         .unit = "tokens",
                         .min = 1,
                         .max = 1e5});
  visit(longest_words, {.key = "longest_words",
                        .help = "longest prompt without one",
                        .unit = "words",
                        .min = 1,
                        .max = 1e5});
  visit(cache, {.key = "cache",
                .help = "folder of kept answers; default: ~/.cache/svi/stories; none: nothing is "
                        "kept"});
}

std::string StoryConfig::problem() const {
  if (words_of_text(keyword).empty())
    return "keyword is missing: what the film is about, such as motorcycle";
  if (keyword.size() > kLongestKeyword)
    return cat("keyword has ", keyword.size(), " bytes; at most ", kLongestKeyword);
  if (utf8_end(keyword) < keyword.size()) return "keyword is not UTF-8 text";
  for (std::size_t at = 0; at < keyword.size(); at += utf8_character(keyword, at).size) {
    if (is_hidden(utf8_character(keyword, at).code))
      return "keyword holds control or hidden characters";
  }
  return {};
}

Story tell_story(const Document& settings, const Registry& registry) {
  Document resolved;
  auto config = parse_config<StoryConfig>(settings, "story");
  if (config.model.empty()) config.model = kDefaultFolder;
  const auto weights = weights_folder(config.model);
  if (!fs::is_directory(weights))
    raise<ConfigError>("[story] model = ", config.model, ": is no folder of weights");
  auto cache = config.cache == "default" ? default_story_cache() : fs::path(config.cache);
  if (config.cache == "none") cache.clear();
  const auto* usual_source = were_trained_here(weights) ? "world" : "openverse";
  const auto source = registry.make<ImageSource>(settings, usual_source, &resolved);
  const auto teller = registry.make<Storyteller>(settings, "grammar", &resolved);
  const auto rules = rules_of(config, weights, registry);
  for (const auto* kind : {"image_source", "storyteller"}) {
    const auto type = settings.get(kind, "type");
    resolved.set(kind, "type",
                 type.value_or(std::string_view(kind) == "storyteller" ? "grammar" : usual_source),
                 "");
  }
  Story story;
  story.picture = source->find({.keyword = config.keyword,
                                .seed = config.seed,
                                .weights = weights,
                                .cache = cache,
                                .registry = registry});
  story.beats = teller->tell({.keyword = config.keyword,
                              .clips = config.clips,
                              .seed = config.seed,
                              .caption = story.picture.caption,
                              .picture = story.picture.bytes,
                              .weights = weights,
                              .cache = cache,
                              .problem = [&](const std::vector<StoryBeat>& beats) {
                                return story_problem(beats, rules);
                              }});
  story.frame_name = "frame" + picture_ending(story.picture.bytes);
  story.prompt_text = list_of_prompts(story.beats);
  story.description = description_of(story, config, rules, resolved);
  return story;
}

}  // namespace svi
