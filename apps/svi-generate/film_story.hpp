#pragma once

#include <filesystem>

#include "arguments.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/plugin/registry.hpp"

namespace svi::generate {

/// The story of --keyword in its folder, beside the film; where films are only checked, in one that
/// goes with this object. Without --keyword it does nothing.
class FilmStory {
 public:
  /// Rank 0 tells the story, unless it is there, and writes it; all ranks get its folder in
  /// `arguments`, whose story settings are taken out. Collective. Throws ConfigError, IoError.
  FilmStory(Arguments& arguments, const Registry& registry, const Communicator& world);
  FilmStory(const FilmStory&) = delete;
  FilmStory& operator=(const FilmStory&) = delete;
  ~FilmStory();

 private:
  std::filesystem::path passing_;  // to be removed; empty: nothing
};

}  // namespace svi::generate
