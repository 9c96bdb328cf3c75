#include "svi/story/builtins.hpp"

#include "image_sources.hpp"
#include "storytellers.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

void register_story(Registrar& registrar) {
  registrar.add<ImageSource, GivenImage>("given", "a picture file of yours");
  registrar.add<ImageSource, FolderImages>(
      "folder", "the picture of a folder whose caption or name has most of the keyword's words");
  registrar.add<ImageSource, OpenverseImages>(
      "openverse", "a picture under a free licence, found by the API of openverse.org");
  registrar.add<ImageSource, WorldImages>(
      "world", "a scene of the world that the weights have learnt, the same for the same word");
  registrar.add<Storyteller, GrammarTeller>(
      "grammar", "prompts by rules, the same for the same word and seed; needs nothing");
  registrar.add<Storyteller, MllmTeller>(
      "mllm", "prompts by a language model that sees the picture, over an OpenAI-compatible API");
}

}  // namespace svi
