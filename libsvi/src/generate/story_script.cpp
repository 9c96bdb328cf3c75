#include "svi/generate/story_script.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "svi/tensor/random.hpp"

namespace svi {

std::vector<std::string> StoryScript::prompts(std::int64_t clip) const {
  return {storyboard_.clip(clip).prompt};
}

Condition StoryScript::tracks(std::int64_t first, std::int64_t count) const {
  Condition parts;
  if (tracks_.empty()) return parts;
  const auto cut_out = tracks_.slice(first, count, frames_);
  for (const auto& name : cut_out.names()) parts.set(name, cut_out[name].unsqueeze(0));
  return parts;
}

void StoryScript::end_at(std::int64_t frames) {
  tracks_.require(frames);
  frames_ = frames;
}

bool StoryScript::cut(std::int64_t clip) const { return storyboard_.clip(clip).cut; }

at::Tensor StoryScript::image(std::int64_t clip) const {
  return load_(storyboard_.clip(clip).image).unsqueeze(0);
}

at::Tensor StoryScript::noise(std::int64_t clip, const std::vector<std::int64_t>& sizes) const {
  const auto order = storyboard_.clip(clip);
  const auto seed = order.seed.value_or(config_.seed);
  const auto index = order.seed ? order.clip_of_segment : clip;
  if (config_.noise == NoiseSource::svi) {
    return normal({static_cast<std::uint64_t>(seed), Purpose::rollout_noise, 0,
                   static_cast<std::uint32_t>(index)},
                  sizes)
        .unsqueeze(0);
  }
  auto generator = at::detail::createCPUGenerator(
      static_cast<std::uint64_t>(seed + config_.seed_stride * index));
  return at::randn(sizes, generator, at::TensorOptions(at::kFloat)).unsqueeze(0);
}

}  // namespace svi
