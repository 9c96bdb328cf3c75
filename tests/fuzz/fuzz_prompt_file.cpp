#include <nlohmann/json.hpp>
#include <string>

#include "fuzz.hpp"
#include "svi/generate/prompt_file.hpp"

namespace {

/// The segments as a JSON file; dumping refuses what is not UTF-8.
std::string json_of(const std::vector<svi::PromptSegment>& segments) {
  auto list = nlohmann::json::array();
  for (const auto& each : segments) {
    nlohmann::json item = {
        {"prompt", each.prompt},
        {"transition", enum_names(each.transition)[static_cast<std::size_t>(each.transition)]}};
    if (each.seconds > 0) item["duration"] = each.seconds;
    if (each.clips > 0) item["clips"] = each.clips;
    if (each.seed) item["seed"] = *each.seed;
    if (!each.image.empty()) item["image"] = each.image;
    list.push_back(item);
  }
  return list.dump();
}

}  // namespace

/// The first byte chooses the form. What is read keeps to its contract, and means the same when it
/// is written as JSON and read again.
void fuzz(std::string_view bytes) {
  if (bytes.empty()) return;
  constexpr const char* kFiles[] = {"p.txt", "p.py", "p.json", "p.yaml"};
  const auto segments = svi::parse_prompts(std::string(bytes.substr(1)), kFiles[bytes[0] & 3]);
  require(!segments.empty());
  for (const auto& each : segments) {
    require(!each.prompt.empty() && each.clips >= 0 && each.seconds >= 0);
    require(!each.seed || *each.seed >= 0);
    require(each.seconds == 0 || each.clips == 0);
    require((each.transition == svi::Transition::cut) == !each.image.empty());
  }
  const auto again = svi::parse_prompts(json_of(segments), "p.json");
  require(again.size() == segments.size());
  for (std::size_t i = 0; i < segments.size(); ++i) {
    require(again[i].prompt == segments[i].prompt && again[i].image == segments[i].image);
    require(again[i].seconds == segments[i].seconds && again[i].clips == segments[i].clips);
    require(again[i].seed == segments[i].seed && again[i].transition == segments[i].transition);
  }
}
