#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/measure/film_file.hpp"

namespace svi {
namespace {

constexpr int kRecordFormat = 1;

// Beyond what any video has, so that sums and products of them fit.
constexpr std::int64_t kMostFrames = 1'000'000'000, kMostPixels = 1 << 20, kMostEnlargement = 4096;

bool is_within(std::int64_t value, std::int64_t most) { return value >= 1 && value <= most; }

/// Sizes are some, clips follow each other from frame 0 on, and none is empty.
bool is_whole(const FilmRecord& record) {
  std::int64_t next = 0;
  for (const auto& clip : record.clips) {
    if (clip.first_frame != next || !is_within(clip.frames, kMostFrames)) return false;
    next += clip.frames;
    if (next > kMostFrames) return false;
  }
  return is_within(record.enlargement, kMostEnlargement) && is_within(record.height, kMostPixels) &&
         is_within(record.width, kMostPixels);
}

}  // namespace

std::filesystem::path record_path(const std::filesystem::path& video) {
  auto path = video;
  return path.replace_extension(".json");
}

std::string film_record_text(const FilmRecord& record) {
  nlohmann::ordered_json json = {{"format", kRecordFormat},
                                 {"height", record.height},
                                 {"width", record.width},
                                 {"enlargement", record.enlargement}};
  json["clips"] = nlohmann::ordered_json::array();
  for (const auto& clip : record.clips) {
    json["clips"].push_back(
        {{"first_frame", clip.first_frame}, {"frames", clip.frames}, {"prompt", clip.prompt}});
  }
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;  // what is no UTF-8
  return json.dump(1, ' ', false, replace) + "\n";
}

FilmRecord parse_film_record(std::string_view text, const std::string& origin) {
  FilmRecord record;
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("format").get<std::int64_t>() > kRecordFormat)
      raise<IoError>(origin, ": is of a newer format than this version reads");
    record.height = json.at("height").get<std::int64_t>();
    record.width = json.at("width").get<std::int64_t>();
    record.enlargement = json.at("enlargement").get<std::int64_t>();
    for (const auto& clip : json.at("clips")) {
      record.clips.push_back({clip.at("first_frame").get<std::int64_t>(),
                              clip.at("frames").get<std::int64_t>(),
                              clip.at("prompt").get<std::string>()});
    }
  } catch (const nlohmann::json::exception& error) {
    raise<IoError>(origin, ": is no record of a film (", error.what(),
                   "); remove it to measure the video without it");
  }
  if (!is_whole(record)) {
    raise<IoError>(origin,
                   ": its sizes are none, or its clips do not follow each other; remove it "
                   "to measure the video without it");
  }
  return record;
}

void write_film_record(const std::filesystem::path& video, const FilmRecord& record) {
  write_file(record_path(video), film_record_text(record));
}

std::optional<FilmRecord> read_film_record(const std::filesystem::path& video) {
  const auto path = record_path(video);
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return parse_film_record(text.str(), path.string());
}

}  // namespace svi
