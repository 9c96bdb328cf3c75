#include "svi/injection/bernoulli.hpp"

#include <algorithm>
#include <cmath>

#include "injection/draw_detail.hpp"
#include "svi/core/check.hpp"

namespace svi {

std::vector<std::string> enum_names(ScaleKind) { return {"constant", "uniform", "log_uniform"}; }
std::vector<std::string> enum_names(ImagePlace) { return {"last", "uniform"}; }
std::vector<std::string> enum_names(RecallScope) { return {"same_bin", "all_bins", "sigma_range"}; }

void ScaleRange::describe(OptionVisitor& visit, const std::string& target) {
  visit(kind, {.key = target + "_scale",
               .help = "distribution of the factor on a recalled " + target + " error"});
  visit(low, {.key = target + "_scale_low",
              .help = "the constant factor, or the smallest factor",
              .min = 0});
  visit(high, {.key = target + "_scale_high",
               .help = "the largest factor; not used if constant",
               .min = 0});
}

std::string ScaleRange::problem(const std::string& target) const {
  if (kind == ScaleKind::constant) return {};
  if (low > high) {
    return cat(target, "_scale_low = ", low, " is above ", target, "_scale_high = ", high);
  }
  if (kind == ScaleKind::log_uniform && low <= 0) {
    return cat(target, "_scale_low must be above 0 with ", target, "_scale = log_uniform");
  }
  return {};
}

double ScaleRange::draw(const RandomKey& key) const {
  if (kind == ScaleKind::constant) return low;
  const double u = uniform(key, 1);
  if (kind == ScaleKind::uniform) return low + (high - low) * u;
  return low * std::exp(u * std::log(high / low));
}

void BernoulliInjection::Config::describe(OptionVisitor& visit) {
  visit(noise_probability, {.key = "noise_probability",
                            .help = "probability of an error in the noise",
                            .min = 0,
                            .max = 1});
  visit(latent_probability, {.key = "latent_probability",
                             .help = "probability of an error in the video latent",
                             .min = 0,
                             .max = 1});
  visit(image_probability, {.key = "image_probability",
                            .help = "probability of an error in the condition latent",
                            .min = 0,
                            .max = 1});
  visit(clean_probability,
        {.key = "clean_probability",
         .help = "probability that a sample stays clean, whatever else was drawn",
         .min = 0,
         .max = 1});
  noise_scale.describe(visit, "noise");
  latent_scale.describe(visit, "latent");
  image_scale.describe(visit, "image");
  visit(modulation,
        {.key = "modulation",
         .help = "f: each recalled error is also multiplied by a number from U(1 - f, 1 + f)",
         .min = 0,
         .max = 1});
  visit(image_frames,
        {.key = "image_frames",
         .help = "latent frames of the condition that receive an error, from the first",
         .unit = "latent frame",
         .min = 1});
  visit(image_place,
        {.key = "image_place",
         .help =
             "the frames of the banked error to use: the last ones, or a uniform random position"});
  visit(image_scope,
        {.key = "image_scope", .help = "bins from which an error for the condition may come"});
  visit(image_sigma_low, {.key = "image_sigma_low",
                          .help = "lower end for image_scope = sigma_range",
                          .unit = "sigma",
                          .min = 0,
                          .max = 1});
  visit(image_sigma_high, {.key = "image_sigma_high",
                           .help = "upper end for image_scope = sigma_range",
                           .unit = "sigma",
                           .min = 0,
                           .max = 1});
  visit(structure, {.key = "structure",
                    .help = "controls; intact: inject the recalled error; shuffled: the error with "
                            "its places shuffled; gaussian: white noise of its power"});
}

std::string BernoulliInjection::Config::problem() const {
  for (const auto& text : {noise_scale.problem("noise"), latent_scale.problem("latent"),
                           image_scale.problem("image")}) {
    if (!text.empty()) return text;
  }
  if (image_sigma_low > image_sigma_high) return "image_sigma_low is above image_sigma_high";
  return {};
}

Injection BernoulliInjection::do_draw(const SampleView& sample) const {
  return detail::draw_bernoulli(config_, sample, 1, 1);
}

namespace detail {

Injection draw_bernoulli(const BernoulliInjection::Config& config, const SampleView& sample,
                         double probability_factor, double strength_factor) {
  const auto key = [&](Purpose purpose) {
    return RandomKey{sample.seed, purpose, sample.sample, sample.step};
  };
  const auto hit = [&](Purpose purpose, double probability) {
    return uniform(key(purpose)) < std::min(probability * probability_factor, 1.0);
  };
  const auto scale = [&](Purpose purpose, const ScaleRange& range) {
    const double modulation = 1 + config.modulation * (2 * uniform(key(purpose)) - 1);
    return range.draw(key(purpose)) * modulation * strength_factor;
  };

  Injection injection;
  injection.clean = uniform(key(Purpose::inject_clean)) < config.clean_probability;
  const bool open = !injection.clean;
  injection.noise = {open && hit(Purpose::inject_noise, config.noise_probability),
                     scale(Purpose::modulate_noise, config.noise_scale)};
  injection.image = {open && hit(Purpose::inject_image, config.image_probability),
                     scale(Purpose::modulate_image, config.image_scale)};
  injection.latent = {open && hit(Purpose::inject_latent, config.latent_probability),
                      scale(Purpose::modulate_latent, config.latent_scale)};
  injection.image_scope = config.image_scope;
  injection.image_sigma_low = config.image_sigma_low;
  injection.image_sigma_high = config.image_sigma_high;
  injection.structure = config.structure;
  injection.image_frames = config.image_frames;
  injection.image_place =
      config.image_place == ImagePlace::last ? -1 : uniform(key(Purpose::image_place));
  return injection;
}

}  // namespace detail
}  // namespace svi
