#pragma once

#include <memory>
#include <string>
#include <svi/metric/moments.hpp>
#include <vector>

#include "fvd_windows.hpp"

namespace fvd {

/// Where the windows of a real video begin.
enum class Start { first, drawn };
/// "first", "drawn".
std::vector<std::string> enum_names(Start);

/// Real videos that films are compared with. The moments of their features are kept on disk: they
/// are made where the network is, and read again where the films of all ranks come together.
struct RealVideos {
  std::string videos = {};   // a folder or a pattern
  std::string cache = {};    // a folder; empty: the user's
  std::string network = {};  // what tells users' networks apart: the file that they name
  Start start = Start::first;
  Sampling sampling = {};

  std::string text() const;  // how they are sampled: features of equal texts can be compared
};

/// Videos directly in a folder, or those that a pattern names, by name. Throws ConfigError where
/// there is none.
std::vector<std::string> videos_of(const std::string& text);

/// Where a video's windows begin if `count` places are possible: drawn by its name alone, so that
/// it is the same on every rank and with other videos beside it.
std::int64_t drawn_start(const std::string& name, std::int64_t count);

/// Makes the moments unless they are kept, of these videos by content, of this sampling and of
/// weights of this SHA-256. Throws IoError where they cannot be kept.
void make_moments(const RealVideos& real, const std::string& weights,
                  const std::shared_ptr<const svi::vision::I3d>& network, at::Device device);

/// Those that make_moments() kept; IoError where there are none.
svi::SetMoments read_moments(const RealVideos& real);

}  // namespace fvd
