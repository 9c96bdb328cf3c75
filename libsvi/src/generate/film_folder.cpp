#include "svi/generate/film_folder.hpp"

#include <ATen/ATen.h>

#include <charconv>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <map>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/core/printable.hpp"
#include "svi/core/sha256.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/checksum.hpp"
#include "svi/io/hdf5_file.hpp"
#include "svi/io/safetensors.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr const char *kLatent = "latent", *kSettings = "film.ini", *kBefore = "before.mp4",
                     *kTail = "tail.mp4", *kState = "state.safetensors", *kClip = "clip-",
                     *kMark = ".svi", *kVideo = "video ";
constexpr std::size_t kRecords = 4;  // videos remembered: that of now, and those begun after it

/// "NUMBER.h5" or "NUMBER.FIRST-LAST.mp4", after "clip-".
bool is_clip_name(std::string_view name) {
  const auto digits = [&] {
    const auto end = std::min(name.find_first_not_of("0123456789"), name.size());
    name.remove_prefix(end);
    return end > 0;
  };
  const auto sign = [&](std::string_view wanted) {
    if (!name.starts_with(wanted)) return false;
    name.remove_prefix(wanted.size());
    return true;
  };
  if (!digits()) return false;
  if (name == ".h5") return true;
  return sign(".") && digits() && sign("-") && digits() && name == ".mp4";
}

bool is_film_file(const fs::path& relative, bool folder) {
  const auto name = relative.string();
  if (folder) return false;
  if (name.starts_with(kClip)) return is_clip_name(std::string_view(name).substr(5));
  return name == kSettings || name == kBefore || name == kTail || name == kState;
}

/// A line of the mark: "video SHA-256 CLIPS".
struct Record {
  std::string hash;
  std::int64_t clips = 0;
};

std::vector<Record> read_records(const fs::path& mark) {
  std::vector<Record> records;
  std::ifstream in(mark, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(kVideo)) continue;
    std::istringstream words(line.substr(std::strlen(kVideo)));
    Record record;
    if (words >> record.hash >> record.clips) records.push_back(std::move(record));
  }
  return records;
}

constexpr const char* kAboutSum = "about_sha256";  // of what a latent was made with

std::string sum_about(const AttributeValue& prompt, const AttributeValue& seed) {
  return sha256_hex(cat(std::get<std::int64_t>(seed), " ", std::get<std::string>(prompt)));
}

/// What a stored latent must agree with: a prompt or seed changed later would be ignored silently.
std::int64_t seed_of(const ClipOrder& order) { return order.seed.value_or(-1); }

}  // namespace

FilmFolder::FilmFolder(fs::path video, fs::path folder)
    : video_(std::move(video)), own_(std::move(folder), "film", is_film_file) {}

bool FilmFolder::exists() const { return fs::exists(path() / kSettings); }

bool FilmFolder::begun() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path(), error)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(kClip) && name.ends_with(".h5")) return true;
  }
  return false;
}

void FilmFolder::create(const Document& settings) const {
  own_.claim();
  write_file(path() / kSettings, settings.text());
}

std::string FilmFolder::differences(const Document& settings,
                                    const std::vector<std::string>& free) const {
  const auto values = [&](const Document& document) {
    std::map<std::string, std::string> all;
    for (const auto& section : document.sections()) {
      for (const auto& entry : section.entries) all[section.name + "." + entry.key] = entry.value;
    }
    for (const auto& key : free) all.erase(key);
    return all;
  };
  auto was = values(Document::read((path() / kSettings).string())), now = values(settings);
  std::string differences;
  for (const auto& [key, value] : was) {
    const auto found = now.find(key);
    const bool there = found != now.end();
    if (!there || found->second != value)
      differences += cat("\n  ", key, " was ", value, ", is ", there ? found->second : "not set");
    now.erase(key);
  }
  for (const auto& [key, value] : now) differences += cat("\n  ", key, " was not set, is ", value);
  return differences;
}

void FilmFolder::remove_frames() const {
  for (const auto& entry : fs::directory_iterator(path())) {
    const auto name = entry.path().filename();
    const bool frames = is_film_file(name, false) && name.extension() == ".mp4";
    if (frames && fs::is_regular_file(entry.symlink_status())) fs::remove(entry.path());
  }
}

fs::path FilmFolder::stem(std::int64_t clip) const {
  std::ostringstream name;
  name << kClip << std::setw(5) << std::setfill('0') << clip;
  return path() / name.str();
}

bool FilmFolder::has_latent(std::int64_t clip) const {
  return fs::exists(stem(clip).string() + ".h5");
}

void FilmFolder::remove_damaged(std::int64_t clips) const {
  for (std::int64_t clip = 0; clip < clips; ++clip) {
    if (!has_latent(clip)) continue;
    const auto path = stem(clip).string() + ".h5";
    try {
      const auto file = Hdf5File::open(path);
      file.read(kLatent);
      const auto about = file.attributes(kLatent);
      const auto sum = about.find(kAboutSum);  // older files have none
      if (sum != about.end() &&
          sum->second != AttributeValue(sum_about(about.at("prompt"), about.at("segment_seed"))))
        raise<IoError>(path, ": is damaged: its prompt or seed does not match its checksum");
    } catch (const std::exception& error) {
      SVI_WARN("film", path, " is damaged and clip ", clip + 1, " is made again: ", error.what());
      fs::remove(path);
    }
  }
}

at::Tensor FilmFolder::latent(std::int64_t clip, const ClipOrder& order) const {
  const auto path = stem(clip).string() + ".h5";
  const auto file = Hdf5File::open(path);
  const auto prompt = std::get<std::string>(file.attribute(kLatent, "prompt"));
  if (prompt != order.prompt ||
      std::get<std::int64_t>(file.attribute(kLatent, "segment_seed")) != seed_of(order)) {
    raise<ConfigError>(path, ": clip ", clip + 1, " was made with the prompt \"",
                       printable(prompt, 400),
                       "\"; prompts and seeds of clips that exist cannot change, only be added");
  }
  auto latent = file.read(kLatent);
  if (latent.dim() != 4) raise<IoError>(path, ": its latent is ", latent.sizes());
  return latent.unsqueeze(0);
}

void FilmFolder::put_latent(std::int64_t clip, const ClipOrder& order,
                            const at::Tensor& latent) const {
  AtomicFile target(stem(clip).string() + ".h5");
  auto file = Hdf5File::create(target.temporary().string());
  file.put(kLatent, latent.squeeze(0).to(at::kCPU, at::kFloat).contiguous(), {.checksum = true});
  file.set_attributes(kLatent, {{"prompt", order.prompt},
                                {"segment_seed", seed_of(order)},
                                {"clip", clip},
                                {kAboutSum, sum_about(order.prompt, seed_of(order))},
                                {"dimensions", std::string("z, F, h, w")},
                                {"unit", std::string("latent std")}});
  file.close();
  target.commit();
}

std::optional<std::pair<std::int64_t, NamedTensors>> FilmFolder::state() const {
  const auto file = path() / kState;
  if (!fs::exists(file)) return std::nullopt;
  const auto saved = SafetensorsFile::open(file);
  auto tensors = saved.load_all();
  const auto about = saved.metadata();
  const auto pieces = about.find("pieces"), sum = about.find("sha256");
  std::int64_t count = 0;
  const auto readable = [&](const std::string& text) {
    const auto* end = text.data() + text.size();
    return std::from_chars(text.data(), end, count).ptr == end && count >= 0;
  };
  if (pieces == about.end() || sum == about.end() || !readable(pieces->second) ||
      sum->second != checksum(tensors, pieces->second)) {
    raise<IoError>(file.string(), ": is damaged: it does not match its checksum; the film cannot ",
                   "go on from it, so begin anew with --overwrite");
  }
  return std::pair(count, std::move(tensors));
}

void FilmFolder::put_state(std::int64_t pieces, const NamedTensors& state) const {
  save_safetensors(path() / kState, state,
                   {{"pieces", cat(pieces)}, {"sha256", checksum(state, cat(pieces))}});
}

fs::path FilmFolder::segment(std::int64_t clip, std::int64_t first, std::int64_t count) const {
  return stem(clip).string() + cat(".", first, "-", first + count - 1, ".mp4");
}

fs::path FilmFolder::prefix() const { return path() / kBefore; }
fs::path FilmFolder::tail() const { return path() / kTail; }

void FilmFolder::record(const fs::path& file, std::int64_t clips) const {
  auto records = read_records(path() / kMark);
  records.push_back({sha256_file(file), clips});
  std::string text = "svi film\n";
  const auto first = records.size() > kRecords ? records.size() - kRecords : 0;
  for (auto i = first; i < records.size(); ++i)
    text += cat(kVideo, records[i].hash, " ", records[i].clips, "\n");
  write_file(path() / kMark, text);
}

std::int64_t FilmFolder::recorded_clips() const {
  std::error_code error;
  if (!fs::is_regular_file(fs::symlink_status(video_, error))) return 0;
  const auto records = read_records(path() / kMark);
  if (records.empty()) return 0;
  const auto hash = sha256_file(video_);
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (record->hash == hash) return record->clips;
  }
  return 0;
}

}  // namespace svi
