#include "svi/method/method.hpp"

#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/method/chain.hpp"
#include "svi/method/studio.hpp"

namespace svi {

Method::~Method() = default;

void Method::do_check(const ClipShape&, std::int64_t, const Sampler&) const {}

void Method::check(const ClipShape& shape, std::int64_t stride, const Sampler& sampler) const {
  if (needs().steps && !sampler.makes_steps()) {
    raise<ConfigError>(
        "[sampler]: this sampler remembers earlier steps and makes whole clips only; the method "
        "of [method] has a schedule of its own, which needs type = euler");
  }
  do_check(shape, stride, sampler);
}

void Method::check_parts(const std::vector<std::string>& reads) const {
  for (const auto& part : needs().parts) {
    if (std::find(reads.begin(), reads.end(), part) != reads.end()) continue;
    raise<ConfigError>("[method]: this method tells the model a part '", part,
                       "', which it does not read; it reads ", join(reads),
                       ". Add the [extension.NAME] that reads it");
  }
}

std::unique_ptr<Film> Method::begin(const Studio& studio, const FilmRequest& request) const {
  SVI_CHECK(request.image.defined() && request.image.dim() == 4, "a film begins with images");
  SVI_CHECK(request.clips >= 1, "a film has at least one clip");
  const auto need = needs();
  if (need.no_before && request.before.defined()) {
    raise<ConfigError>("[method]: this method begins films with an image and cannot go on from a ",
                       "video; a chain such as type = svi_shot can");
  }
  if (need.no_cut) {
    for (std::int64_t clip = 0; clip < request.clips; ++clip) {
      if (request.script.cut(clip)) {
        raise<ConfigError>("[method]: this method makes films of one scene, but clip ", clip,
                           " begins another; a chain such as type = svi_shot can");
      }
    }
  }
  check(studio.shape, studio.vae.config().temporal_stride(), studio.sampler);
  return do_begin(studio, request);
}

std::int64_t Method::frames(const ClipShape& shape, std::int64_t clips, const Script* script,
                            bool continued) const {
  return clips < 1 ? 0 : do_frames(shape, clips, script, continued);
}

std::int64_t Method::prompt_of(std::int64_t clip, std::int64_t count) const {
  SVI_CHECK(clip >= 0 && count >= 1, "clip ", clip, " of a scene with ", count, " prompts");
  const auto prompt = do_prompt_of(clip, count);
  SVI_CHECK(prompt >= 0 && prompt < count, "prompt ", prompt, " of ", count);
  return prompt;
}

std::int64_t Method::do_prompt_of(std::int64_t, std::int64_t) const { return 0; }

const ChainMethod& chain_of(const Method& method, std::string_view what) {
  if (const auto* chain = method.chain()) return *chain;
  raise<ConfigError>(what, " needs a method that chains clips, which that of [method] does not; ",
                     "use type = naive_chain, svi_shot or svi_film");
}

}  // namespace svi
