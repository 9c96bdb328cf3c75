#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/data/tracks.hpp"
#include "svi/generate/film_settings.hpp"
#include "svi/generate/storyboard.hpp"
#include "svi/method/film.hpp"

namespace svi {

/// A storyboard as the script of one film.
class SVI_EXPORT StoryScript final : public Script {
 public:
  /// The image of a cut, [3, H, W] fp32 in [-1, 1], from its path.
  using LoadImage = std::function<at::Tensor(const std::string& path)>;

  /// Borrows the storyboard. `tracks`: all that the model reads along the film. What stands at its
  /// end is told once end_at says where that is.
  StoryScript(const Storyboard& storyboard, FilmConfig config, LoadImage load, Tracks tracks = {})
      : storyboard_(storyboard),
        config_(config),
        load_(std::move(load)),
        tracks_(std::move(tracks)) {}

  std::vector<std::string> prompts(std::int64_t clip) const override;
  at::Tensor noise(std::int64_t clip, const std::vector<std::int64_t>& sizes) const override;
  Condition tracks(std::int64_t first, std::int64_t count) const override;
  /// The film is of so many frames. Throws ConfigError where a track is shorter.
  void end_at(std::int64_t frames);
  bool cut(std::int64_t clip) const override;
  at::Tensor image(std::int64_t clip) const override;

 private:
  const Storyboard& storyboard_;
  FilmConfig config_;
  LoadImage load_;
  Tracks tracks_;
  std::int64_t frames_ = 0;  // of the film
};

}  // namespace svi
