#include "fuzz.hpp"
#include "svi/measure/film_file.hpp"

/// A record that is taken is the same after it was written, and its numbers can be computed with.
void fuzz(std::string_view bytes) {
  const auto record = svi::parse_film_record(bytes, "fuzz.json");
  std::int64_t frames = 0;
  for (const auto& clip : record.clips) frames += clip.frames;
  require(frames >= 0 && record.height * record.enlargement >= 1);
  const auto again = svi::parse_film_record(svi::film_record_text(record), "again.json");
  require(again.height == record.height && again.width == record.width &&
          again.enlargement == record.enlargement && again.clips.size() == record.clips.size());
}
