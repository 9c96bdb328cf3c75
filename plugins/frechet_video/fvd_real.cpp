#include "fvd_real.hpp"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <svi/core/check.hpp>
#include <svi/core/log.hpp>
#include <svi/core/sha256.hpp>
#include <svi/data/video_names.hpp>
#include <svi/io/video_reader.hpp>
#include <svi/measure/score_cache.hpp>

namespace fvd {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCount = "count";      // int64 [1]: windows
constexpr const char* kMean = "mean";        // fp64 [400]
constexpr const char* kScatter = "scatter";  // fp64 [400, 400]
constexpr const char* kWeights = "weights";  // uint8 [64]: digits of the SHA-256

/// The videos by name and content, the network as far as options tell, and the sampling.
std::string key_of(const RealVideos& real) {
  svi::Sha256 sum;
  for (const auto& video : videos_of(real.videos))
    sum.add(svi::cat(fs::path(video).filename().string(), " ", svi::sha256_file(video), "\n"));
  return svi::cat("fvd, moments of real videos ", sum.hex(), ", ", real.text(), ", network ",
                  real.network);
}

svi::ScoreCache cache_of(const RealVideos& real) {
  const auto folder = real.cache.empty() ? svi::user_score_folder() : fs::path(real.cache);
  if (folder.empty()) {
    svi::raise<svi::ConfigError>(
        "features of real videos have no place, since there is no home folder; name a folder by "
        "[metric.fvd] real_cache");
  }
  return svi::ScoreCache(folder);
}

at::Tensor as_levels(const std::string& text) {
  return at::tensor(std::vector<std::uint8_t>(text.begin(), text.end()), at::kByte);
}

std::int64_t length_of(const std::string& video) {
  svi::VideoReader reader(video);
  if (reader.info().counted) return reader.info().frames;
  while (reader.next()) continue;
  return reader.position();
}

/// Logits of one video's windows; undefined where it is too short.
at::Tensor rows_of_video(const std::string& video, const RealVideos& real, Windows windows) {
  std::int64_t start = 0;
  if (real.start == Start::drawn) {
    const auto places = length_of(video) - real.sampling.span() + 1;
    if (places < 1) return {};
    start = drawn_start(fs::path(video).filename().string(), places);
  }
  svi::VideoReader reader(video);
  for (std::int64_t i = 0; !windows.full(); ++i) {
    const auto frame = reader.next();
    if (!frame) break;
    if (i >= start) windows.add(frame->to(at::kFloat) / 255);
  }
  return windows.rows();
}

}  // namespace

std::vector<std::string> enum_names(Start) { return {"first", "drawn"}; }

std::string RealVideos::text() const {
  return svi::cat(sampling.text(), ", real videos from ",
                  start == Start::first ? "their first frame" : "a frame drawn by their name");
}

std::vector<std::string> videos_of(const std::string& text) {
  const auto pattern = fs::is_directory(text) ? (fs::path(text) / "*").string() : text;
  std::vector<std::string> videos;
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) {
      const fs::path path = found.gl_pathv[i];
      if (fs::is_regular_file(path) && svi::is_video(path)) videos.push_back(path.string());
    }
  }
  globfree(&found);
  if (videos.empty()) {
    svi::raise<svi::ConfigError>("[metric.fvd] real = ", text,
                                 ": no video is there; name a folder of them or a pattern such as "
                                 "real/*.mp4; videos end in ",
                                 svi::kVideoEndings);
  }
  std::sort(videos.begin(), videos.end());
  return videos;
}

std::int64_t drawn_start(const std::string& name, std::int64_t count) {
  const auto number = std::stoull(svi::sha256_hex(name).substr(0, 15), nullptr, 16);
  return static_cast<std::int64_t>(number % static_cast<std::uint64_t>(count));
}

void make_moments(const RealVideos& real, const std::string& weights,
                  const std::shared_ptr<const svi::vision::I3d>& network, at::Device device) {
  const auto cache = cache_of(real);
  const auto key = key_of(real);
  const auto digits = as_levels(weights);
  for (const auto& [name, tensor] : cache.find(key).value_or(svi::NamedTensors())) {
    if (name == kWeights && at::equal(tensor, digits)) return;
  }
  const auto videos = videos_of(real.videos);
  SVI_INFO("fvd", "computes features of ", videos.size(), " real videos of ", real.videos);
  svi::RunningMoments running(svi::vision::I3d::kClasses);
  for (const auto& video : videos) {
    const auto found = rows_of_video(video, real, Windows(network, device, real.sampling));
    if (found.defined()) {
      running.add(found);
    } else {
      SVI_WARN("fvd", video, " is left out: it has fewer than ", real.sampling.span(), " frames");
    }
  }
  if (running.count() == 0) {
    svi::raise<svi::IoError>(real.videos, ": no video has the ", real.sampling.span(),
                             " frames that a window needs");
  }
  const auto moments = running.moments();
  cache.keep(key, {{kCount, at::tensor(std::vector<std::int64_t>{moments.count})},
                   {kMean, moments.mean},
                   {kScatter, moments.scatter},
                   {kWeights, digits}});
}

svi::SetMoments read_moments(const RealVideos& real) {
  svi::SetMoments moments;
  for (const auto& [name, tensor] :
       cache_of(real).find(key_of(real)).value_or(svi::NamedTensors())) {
    if (name == kCount) moments.count = tensor.item<std::int64_t>();
    if (name == kMean) moments.mean = tensor.clone();
    if (name == kScatter) moments.scatter = tensor.clone();
  }
  if (moments.mean.defined() && moments.scatter.defined()) return moments;
  svi::raise<svi::IoError>(
      real.videos,
      ": features of these videos are not kept, since they changed "
      "or scores of films came from a cache; measure again without that cache");
}

}  // namespace fvd
