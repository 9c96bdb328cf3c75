#include "storytellers.hpp"
#include "svi/config/document.hpp"
#include "svi/story/grammar.hpp"

namespace svi {

void GrammarTeller::Config::describe(OptionVisitor& visit) {
  visit(file,
        {.key = "file",
         .help = "grammar of the prompts; empty: grammar.ini of the folder of weights, or the "
                 "library's own"});
}

std::vector<StoryBeat> GrammarTeller::do_tell(const StoryRequest& request) const {
  const auto document =
      config_.file.empty() ? grammar_document(request.weights) : Document::read(config_.file);
  return Grammar(document).tell(request.keyword, request.caption, request.clips, request.seed);
}

}  // namespace svi
