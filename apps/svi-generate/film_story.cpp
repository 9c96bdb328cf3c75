#include "film_story.hpp"

#include <cstdlib>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/story/story.hpp"

namespace svi::generate {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kStoryClips = 10;  // where --clips says nothing

Document story_settings(const Arguments& a, const std::vector<std::string>& settings) {
  Document d;
  d.set("story.keyword", a.keyword, "--keyword");
  if (a.model != kDefaultFolder) d.set("story.model", a.model, "--model");
  d.set("story.clips", cat(a.clips.value_or(kStoryClips)), "--clips");
  if (!a.images.empty()) {
    d.set("image_source.type", "given", "--image");
    d.set("image_source.file", a.images.front(), "--image");
  }
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos)
      raise<ConfigError>("command line: --set ", setting, " is not section.key=value");
    d.set(setting.substr(0, equals), setting.substr(equals + 1), "--set " + setting);
  }
  return d;
}

fs::path temporary_folder() {
  auto name = (fs::temp_directory_path() / "svi-story-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) raise<IoError>(name, ": cannot be made");
  return name;
}

}  // namespace

FilmStory::FilmStory(Arguments& a, const Registry& registry, const Communicator& world) {
  std::vector<std::string> own, others;
  for (const auto& setting : a.settings)
    (is_story_setting(setting) ? own : others).push_back(setting);
  if (a.keyword.empty()) {
    if (!own.empty())
      raise<ConfigError>("command line: --set ", own.front(), " is of a story; give its --keyword");
    return;
  }
  a.settings = others;
  fs::path folder = a.out.empty() ? story_name(a.keyword) + ".mp4" : a.out;
  folder.replace_extension(".story");
  if (world.rank() == 0) {
    if (fs::exists(folder)) {
      if (keyword_of_story(folder) != a.keyword) {
        raise<ConfigError>(folder.string(), ": is there already, and is no story of '", a.keyword,
                           "'; name another --out");
      }
      SVI_INFO("story", folder.string(), ": is there already, and is told again");
    } else {
      const auto story = tell_story(story_settings(a, own), registry);
      if (a.validate) {
        passing_ = temporary_folder();
        folder = passing_ / "story";
      }
      write_story(story, folder);
      if (!story.picture.attribution.empty()) SVI_INFO("story", story.picture.attribution);
    }
  }
  a.story = world.broadcast(folder.string());
}

FilmStory::~FilmStory() {
  std::error_code ignored;
  if (!passing_.empty()) fs::remove_all(passing_, ignored);
}

}  // namespace svi::generate
