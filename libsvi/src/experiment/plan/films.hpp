#pragma once

#include <string>
#include <vector>

#include "svi/experiment/plan.hpp"

namespace svi {

/// A video file of an arm.
struct NamedFilm {
  std::string name;         // of the file, without its ending: of the scene
  std::string path, truth;  // truth: empty where there is none
  std::string prompt = {};  // of [films] prompts; empty where it tells none
};

/// The films of an arm of a `measure` experiment, "scene10" after "scene2". Throws ConfigError
/// where there are none, where two have one name, and where a truth is asked for and belongs to
/// none.
SVI_EXPORT std::vector<NamedFilm> films_of(const Arm& arm);

/// The names of all arms' films, each once, in that order: the scenes of the run.
SVI_EXPORT std::vector<std::string> film_names(const Plan& plan);

/// The document with an arm for each folder of films, if it is of kind `measure` and has none.
SVI_EXPORT Document with_film_arms(const Document& document);

}  // namespace svi
