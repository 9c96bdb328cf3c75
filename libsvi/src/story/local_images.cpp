#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "image_sources.hpp"
#include "picture_bytes.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/core/printable.hpp"
#include "svi/core/random.hpp"
#include "svi/core/sha256.hpp"
#include "svi/core/text.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/data/csv.hpp"
#include "svi/io/picture.hpp"
#include "svi/pretrained/folder_settings.hpp"
#include "svi/story/prompt_check.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostPictureBytes = std::size_t{256} << 20, kMostCaptionBytes = 16 << 10;

std::string bytes_of_picture(const fs::path& file, std::size_t most = kMostPictureBytes) {
  std::ifstream in(file, std::ios::binary);
  if (!in || !fs::is_regular_file(file)) raise<IoError>(file.string(), ": cannot be read");
  if (fs::file_size(file) > most)
    raise<IoError>(file.string(), ": is larger than ", most >> 10, " KiB");
  return {std::istreambuf_iterator<char>(in), {}};
}

bool has_picture_ending(const fs::path& file) {
  static const std::set<std::string> kEndings = {".jpg", ".jpeg", ".png",  ".webp",
                                                 ".bmp", ".tif",  ".tiff", ".gif"};
  return kEndings.contains(lower_case(file.extension().string()));
}

/// One line of a caption file, or of a table's field.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  const auto first = text.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// Captions by file name, of a table with the columns `file` and `caption`.
std::map<std::string, std::string> captions_of_table(const std::string& table) {
  std::map<std::string, std::string> captions;
  if (table.empty()) return captions;
  const auto text = bytes_of_picture(table);
  if (utf8_end(text) < text.size()) raise<IoError>(table, ": is not UTF-8 text");
  const auto rows = parse_csv(text, table);
  const auto column = [&](const char* name) {
    const auto& head = rows.front();
    const auto found = std::find_if(head.begin(), head.end(), [&](const std::string& field) {
      return lower_case(field) == name;
    });
    if (found == head.end()) {
      raise<IoError>(table, ": has no column '", name, "'; the first line must be: file,caption");
    }
    return static_cast<std::size_t>(found - head.begin());
  };
  if (rows.empty()) raise<IoError>(table, ": is empty; the first line must be: file,caption");
  const auto file = column("file"), caption = column("caption");
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].size() > std::max(file, caption))
      captions[rows[i][file]] = one_line(rows[i][caption]);
  }
  return captions;
}

/// How many of the wanted words a text has.
std::size_t words_in_common(const std::set<std::string>& wanted, std::string_view text) {
  const auto words = words_of_text(text);
  const std::set<std::string> there(words.begin(), words.end());
  return static_cast<std::size_t>(std::count_if(wanted.begin(), wanted.end(),
                                                [&](const auto& w) { return there.contains(w); }));
}

/// A number below `count` for a keyword, the same everywhere.
std::int64_t place_of(const std::string& keyword, std::int64_t seed, std::int64_t count) {
  std::string text;
  for (const auto& word : words_of_text(keyword)) text += word + ' ';
  const auto hash = std::stoull(sha256_hex(text).substr(0, 16), nullptr, 16);
  return static_cast<std::int64_t>(derive_seed(hash, static_cast<std::uint64_t>(seed)) %
                                   static_cast<std::uint64_t>(count));
}

}  // namespace

void GivenImage::Config::describe(OptionVisitor& visit) {
  visit(file, {.key = "file", .help = "the picture"});
  visit(caption, {.key = "caption", .help = "what it shows, for the storyteller"});
}

std::string GivenImage::Config::problem() const {
  return file.empty() ? "file is missing: the picture that the film starts from" : "";
}

StoryPicture GivenImage::do_find(const ImageRequest&) const {
  return {.bytes = bytes_of_picture(config_.file),
          .caption = config_.caption,
          .page = fs::path(config_.file).filename().string()};
}

void FolderImages::Config::describe(OptionVisitor& visit) {
  visit(folder, {.key = "folder",
                 .help = "folder of pictures; NAME.txt beside NAME.jpg holds its caption"});
  visit(captions, {.key = "captions",
                   .help = "CSV table with the columns file and caption, instead of text files"});
}

std::string FolderImages::Config::problem() const {
  return folder.empty() ? "folder is missing: where the pictures lie" : "";
}

StoryPicture FolderImages::do_find(const ImageRequest& request) const {
  if (!fs::is_directory(config_.folder)) raise<IoError>(config_.folder, ": is no folder");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(config_.folder))
    if (entry.is_regular_file() && has_picture_ending(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  const auto table = captions_of_table(config_.captions);
  const auto words = words_of_text(request.keyword);
  const std::set<std::string> wanted(words.begin(), words.end());
  struct Found {
    fs::path file;
    std::string caption;
  };
  std::vector<Found> best;
  std::size_t most = 1;  // a word at least
  for (const auto& file : files) {
    std::string caption;
    const auto beside = fs::path(file).replace_extension(".txt");
    if (const auto row = table.find(file.filename().string()); row != table.end()) {
      caption = row->second;
    } else if (fs::is_regular_file(beside)) {
      caption = one_line(bytes_of_picture(beside, kMostCaptionBytes));
    }
    const auto common = words_in_common(wanted, caption + " " + file.stem().string());
    if (common < most) continue;
    if (common > most) best.clear();
    most = common;
    best.push_back({file, caption});
  }
  if (best.empty()) {
    raise<ConfigError>(config_.folder, ": none of its ", files.size(), " pictures has a word of '",
                       printable(request.keyword),
                       "' in its caption or name; rename one, or write a caption beside it");
  }
  const auto which = static_cast<std::uint64_t>(request.seed) % best.size();
  const auto& chosen = best[which];
  return {.bytes = bytes_of_picture(chosen.file),
          .caption = chosen.caption,
          .page = chosen.file.filename().string()};
}

void WorldImages::Config::describe(OptionVisitor& visit) {
  visit(world,
        {.key = "world",
         .help = "data source whose scenes are shown; empty: that of the folder of weights"});
  visit(height, {.key = "height",
                 .help = "of the picture; 0: as films of the folder of weights are",
                 .unit = "px",
                 .min = 0,
                 .max = 16384});
  visit(width, {.key = "width", .help = "likewise", .unit = "px", .min = 0, .max = 16384});
}

StoryPicture WorldImages::do_find(const ImageRequest& request) const {
  const auto settings = folder_settings(request.weights);
  const auto world = config_.world.empty() ? folder_config(request.weights).world : config_.world;
  if (world.empty()) {
    raise<ConfigError>("[image_source] type = world: ", request.weights.string(),
                       " names no world; give [image_source] world, or another source");
  }
  ClipShape shape;
  const auto side = [&](const char* key, std::int64_t given, std::int64_t usual) {
    const auto told = settings.get("film", key);
    return given > 0 ? given : (told ? std::stoll(*told) : usual);
  };
  shape.height = side("height", config_.height, shape.height);
  shape.width = side("width", config_.width, shape.width);
  const auto source = request.registry.make<ClipSource>(Document{}, world);
  const auto scene =
      source->scene(place_of(request.keyword, request.seed, source->scene_count()), shape);
  const auto levels = ((scene.image + 1) * 127.5).round().clamp(0, 255).to(at::kByte);
  return {.bytes = png_picture(levels),
          .caption = scene.prompts.front(),
          .title = scene.name,
          .page = cat(world, ", scene ", scene.index)};
}

}  // namespace svi
