#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/output_path.hpp"
#include "svi/story/prompt_check.hpp"
#include "svi/story/story.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestStoryName = 60;  // bytes
constexpr const char* kDescriptionFile = "story.json";

std::string bytes_at(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

void write_story(const Story& story, const fs::path& folder) {
  const std::vector<std::pair<std::string, const std::string*>> files = {
      {story.frame_name, &story.picture.bytes},
      {"prompt.txt", &story.prompt_text},
      {kDescriptionFile, &story.description}};
  if (fs::exists(fs::symlink_status(folder))) {
    for (const auto& [name, bytes] : files) {
      if (!fs::is_regular_file(folder / name) || bytes_at(folder / name) != *bytes) {
        raise<ConfigError>(folder.string(), ": is there already, and is not this story (", name,
                           " differs); name another folder");
      }
    }
    return;
  }
  check_output_folder(folder);
  auto part = folder.lexically_normal();
  if (!part.has_filename()) part = part.parent_path();  // "stories/cat/"
  const auto whole = part;
  part += cat(".part-", ::getpid());
  try {
    for (const auto& [name, bytes] : files) write_file(part / name, *bytes);
    fs::rename(part, whole);
  } catch (const std::exception& error) {
    std::error_code ignored;
    fs::remove_all(part, ignored);
    raise<IoError>(folder.string(), ": cannot be written: ", error.what());
  }
}

std::string story_name(const std::string& keyword) {
  std::string name;
  for (const auto& word : words_of_text(keyword)) {
    const auto longer = name + (name.empty() ? "" : "_") + word;
    if (longer.size() <= kLongestStoryName) name = longer;
  }
  return name.empty() ? "story" : name;
}

bool is_story_setting(std::string_view setting) {
  constexpr std::array<std::string_view, 3> kSections = {"story.", "image_source.", "storyteller."};
  return std::any_of(kSections.begin(), kSections.end(),
                     [&](std::string_view section) { return setting.starts_with(section); });
}

std::string keyword_of_story(const fs::path& folder) {
  const auto json = nlohmann::json::parse(bytes_at(folder / kDescriptionFile), nullptr, false);
  if (!json.is_object() || !json.contains("keyword") || !json["keyword"].is_string()) return {};
  return json["keyword"].get<std::string>();
}

}  // namespace svi
