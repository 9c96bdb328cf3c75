#include "svi/generate/film_folder.hpp"

#include <ATen/ATen.h>

#include <iomanip>
#include <map>

#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/io/hdf5_file.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLatent = "latent";

/// What a stored latent must agree with: a prompt or seed changed later would be ignored silently.
std::int64_t seed_of(const ClipOrder& order) { return order.seed.value_or(-1); }

}  // namespace

FilmFolder::FilmFolder(fs::path video) : video_(std::move(video)), folder_(video_) {
  folder_.replace_extension(".film");
}

bool FilmFolder::exists() const { return fs::exists(folder_ / "film.ini"); }

void FilmFolder::create(const Document& settings) const {
  write_file(folder_ / "film.ini", settings.text());
}

void FilmFolder::check(const Document& settings, const std::vector<std::string>& free) const {
  const auto values = [&](const Document& document) {
    std::map<std::string, std::string> all;
    for (const auto& section : document.sections()) {
      for (const auto& entry : section.entries) all[section.name + "." + entry.key] = entry.value;
    }
    for (const auto& key : free) all.erase(key);
    return all;
  };
  auto was = values(Document::read((folder_ / "film.ini").string())), now = values(settings);
  std::string differences;
  for (const auto& [key, value] : was) {
    const auto found = now.find(key);
    const bool there = found != now.end();
    if (!there || found->second != value)
      differences += cat("\n  ", key, " was ", value, ", is ", there ? found->second : "not set");
    now.erase(key);
  }
  for (const auto& [key, value] : now) differences += cat("\n  ", key, " was not set, is ", value);
  if (differences.empty()) return;
  raise<ConfigError>(video_.string(), ": was begun with other settings:", differences,
                     "\nGo on with those, name another --out, or begin anew with --overwrite");
}

void FilmFolder::remove_frames() const {
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() == ".mp4" && entry.path() != prefix()) fs::remove(entry.path());
  }
}

void FilmFolder::remove() const {
  std::error_code error;
  fs::remove_all(folder_, error);
  fs::remove(video_, error);
}

fs::path FilmFolder::stem(std::int64_t clip) const {
  std::ostringstream name;
  name << "clip-" << std::setw(5) << std::setfill('0') << clip;
  return folder_ / name.str();
}

bool FilmFolder::has_latent(std::int64_t clip) const {
  return fs::exists(stem(clip).string() + ".h5");
}

at::Tensor FilmFolder::latent(std::int64_t clip, const ClipOrder& order) const {
  const auto path = stem(clip).string() + ".h5";
  const auto file = Hdf5File::open(path);
  const auto prompt = std::get<std::string>(file.attribute(kLatent, "prompt"));
  if (prompt != order.prompt ||
      std::get<std::int64_t>(file.attribute(kLatent, "segment_seed")) != seed_of(order)) {
    raise<ConfigError>(path, ": clip ", clip + 1, " was made with the prompt \"", prompt,
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
  file.put(kLatent, latent.squeeze(0).to(at::kCPU, at::kFloat).contiguous());
  file.set_attributes(kLatent, {{"prompt", order.prompt},
                                {"segment_seed", seed_of(order)},
                                {"clip", clip},
                                {"dimensions", std::string("z, F, h, w")},
                                {"unit", std::string("latent std")}});
  file.close();
  target.commit();
}

fs::path FilmFolder::segment(std::int64_t clip, std::int64_t first, std::int64_t count) const {
  return stem(clip).string() + cat(".", first, "-", first + count - 1, ".mp4");
}

fs::path FilmFolder::prefix() const { return folder_ / "before.mp4"; }
fs::path FilmFolder::tail() const { return folder_ / "tail.mp4"; }

}  // namespace svi
