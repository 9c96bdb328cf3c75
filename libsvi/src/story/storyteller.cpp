#include "svi/story/storyteller.hpp"

#include "svi/core/check.hpp"

namespace svi {

Storyteller::~Storyteller() = default;

std::vector<StoryBeat> Storyteller::tell(const StoryRequest& request) const {
  SVI_CHECK(!request.keyword.empty() && request.clips >= 1, "a story of ", request.clips,
            " clips about '", request.keyword, "'");
  auto beats = do_tell(request);
  if (!request.problem) return beats;
  if (const auto problem = request.problem(beats); !problem.empty())
    raise<IoError>("the story of '", request.keyword, "': ", problem);
  return beats;
}

}  // namespace svi
