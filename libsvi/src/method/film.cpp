#include "svi/method/film.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/core/check.hpp"

namespace svi {

Script::~Script() = default;

Condition Script::tracks(std::int64_t, std::int64_t) const { return {}; }

bool Script::cut(std::int64_t) const { return false; }

at::Tensor Script::image(std::int64_t clip) const { raise("clip ", clip, " is no cut"); }

Film::~Film() = default;

at::Tensor Film::make(const OnStep& on_step) {
  SVI_CHECK(do_upcoming(), "the film is whole");
  const c10::NoGradGuard no_gradients;
  return do_make(on_step);
}

void Film::accept(const at::Tensor& latent, const at::Tensor& tail) {
  const auto piece = do_upcoming();
  SVI_CHECK(piece, "the film is whole");
  SVI_CHECK(latent.dim() == 5, "latent ", latent.sizes(), " is not [B, z, F, h, w]");
  SVI_CHECK(!tail.defined() || (tail.dim() == 5 && tail.size(2) == piece->tail), "piece ",
            piece->number, " ends in ", piece->tail, " frames, got ", tail.sizes());
  const c10::NoGradGuard no_gradients;
  do_accept(latent, tail);
}

void Film::load(const NamedTensors& state, std::int64_t) {
  if (!state.empty())
    raise<IoError>("state of a film: ", state.front().first, " belongs to another method");
}

}  // namespace svi
