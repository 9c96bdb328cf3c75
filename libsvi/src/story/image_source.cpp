#include "svi/story/image_source.hpp"

#include "picture_bytes.hpp"
#include "svi/core/check.hpp"

namespace svi {

ImageSource::~ImageSource() = default;

StoryPicture ImageSource::find(const ImageRequest& request) const {
  SVI_CHECK(!request.keyword.empty(), "a picture is looked for by a keyword");
  auto picture = do_find(request);
  if (const auto problem = picture_problem(picture.bytes); !problem.empty())
    raise<IoError>(picture.page.empty() ? "the picture" : picture.page, ": ", problem);
  return picture;
}

}  // namespace svi
