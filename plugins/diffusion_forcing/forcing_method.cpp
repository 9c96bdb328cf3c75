#include "diffusion_forcing/forcing_method.hpp"

#include <svi/core/check.hpp>
#include <svi/method/stretch.hpp>
#include <svi/sampler/sampler.hpp>

#include "diffusion_forcing/forcing_film.hpp"

namespace forcing {

std::vector<std::int64_t> chunks_of(std::int64_t added, std::int64_t most) {
  const auto count = (added + most - 1) / most;
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i < count; ++i)
    sizes.push_back(added * (i + 1) / count - added * i / count);
  return sizes;
}

void ForcingMethod::do_check(const svi::ClipShape& shape, std::int64_t stride,
                             const svi::Sampler& sampler) const {
  if (shape.frames <= stride) {
    svi::raise<svi::ConfigError>("[clip] frames = ", shape.frames,
                                 ": this method adds latent frames behind the image, so a clip has "
                                 "at least ",
                                 stride + 1, " frames");
  }
  const auto F = (shape.frames - 1) / stride + 1;
  const auto window = plan_.window > 0 ? plan_.window : F;
  if (plan_.context >= window) {
    svi::raise<svi::ConfigError>("[method] context = ", plan_.context, ": a window of ", window,
                                 " latent frames has no room for new ones; the largest context is ",
                                 window - 1);
  }
  if (plan_.sink >= plan_.context && plan_.sink > 0) {
    svi::raise<svi::ConfigError>(
        "[method] sink = ", plan_.sink, ": a history of ", plan_.context,
        " latent frames has no room for the last ones; make context larger");
  }
  // Every schedule that a film will want: behind the image alone, and behind a whole history.
  const auto steps = static_cast<std::int64_t>(sampler.sigmas().size());
  const auto most = plan_.chunk > 0 ? plan_.chunk : window - plan_.context;
  for (const auto frames : chunks_of(F - 1, most)) {
    for (const std::int64_t ready : {std::int64_t{1}, plan_.context})
      static_cast<void>(plan_.rows(steps, frames, ready, window));
  }
}

std::unique_ptr<svi::Film> ForcingMethod::do_begin(const svi::Studio& studio,
                                                   const svi::FilmRequest& request) const {
  return std::make_unique<ForcingFilm>(plan_, studio, request);
}

std::int64_t ForcingMethod::do_frames(const svi::ClipShape& shape, std::int64_t clips,
                                      const svi::Script*, bool) const {
  return svi::stretch_frames(shape, clips);
}

}  // namespace forcing
