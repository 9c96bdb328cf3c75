#include "svi/train/latent_pool.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/method/chain.hpp"
#include "svi/model/wan/condition.hpp"

namespace svi {
namespace {

/// Small clips are encoded together; one of 81 x 480 x 832 fills the memory of many by itself.
std::int64_t batch_size(const ClipShape& shape) {
  constexpr std::int64_t kMost = 8, kValues = 1 << 24;
  return std::clamp<std::int64_t>(kValues / (3 * shape.frames * shape.height * shape.width), 1,
                                  kMost);
}

/// What a pool holds beside the parts of its condition.
constexpr const char *kPoolLatent = "latent", *kPoolTail = "tail", *kPoolImageOne = "image_one",
                     *kPoolClipOne = "clip_one";

/// The tracks of all clips as parts of a condition, [b, T, ...]; pictures stay 8-bit levels.
void add_tracks(NamedTensors& batch, const std::vector<Clip>& clips) {
  for (const auto& name : clips.front().tracks.names()) {
    const bool taken = name == kPoolImageOne || name == kPoolClipOne ||
                       std::any_of(batch.begin(), batch.end(),
                                   [&](const auto& tensor) { return tensor.first == name; });
    SVI_CHECK(!taken, "a track cannot be named '", name, "': that is a part of every clip");
    std::vector<at::Tensor> rows;
    for (const auto& clip : clips) {
      SVI_CHECK(clip.tracks[name].defined() &&
                    clip.tracks[name].sizes() == clips.front().tracks[name].sizes(),
                "training clips have different tracks: not all have ", name, " ",
                clips.front().tracks[name].sizes());
      rows.push_back(clip.tracks[name]);
    }
    batch.emplace_back(name, at::stack(rows));
  }
}

/// A batch of clips by the names of the pool's tensors.
NamedTensors encode_batch(const std::vector<Clip>& clips, const LatentPool::Encoders& encoders,
                          const ClipShape& shape, const TrainingPlan& plan) {
  std::vector<at::Tensor> videos, anchors;
  std::vector<std::string> prompts;
  for (const auto& clip : clips) {
    videos.push_back(clip.video);
    anchors.push_back(clip.anchor);
    prompts.push_back(clip.prompt);
  }
  const auto video = at::stack(videos);    // [b, 3, T, H, W]
  const auto anchor = at::stack(anchors);  // [b, 3, H, W]
  const ConditionBuilder builder(encoders.vae);
  const auto condition = [&](const at::Tensor& motion) {  // [b, 3, k, H, W]
    return builder.build(motion, anchor, shape.frames, plan.condition);
  };
  const auto m = plan.motion_frames;
  const auto motion = video.narrow(2, 0, m), first = video.narrow(2, 0, 1);
  NamedTensors batch{{kPoolLatent, encoders.vae.encode(video)},
                     {"image", condition(motion)},
                     {kPoolTail, tail_latents(encoders.vae, video, m)},
                     {"text", encoders.text(prompts)}};
  const bool sometimes_one = m > 1 && plan.motion_probability < 1;
  if (sometimes_one) {
    batch.emplace_back(kPoolImageOne,
                       condition(plan.repeat_first ? first.expand_as(motion) : first));
  }
  if (encoders.image) {
    batch.emplace_back("clip", encoders.image(seen_image(plan.clip_image, motion, anchor)));
    if (sometimes_one && plan.clip_image == ClipImage::last)
      batch.emplace_back(kPoolClipOne, encoders.image(first.select(2, 0)));
  }
  add_tracks(batch, clips);
  return batch;
}

/// Clips first .. of the pool take a batch's values; what the first batch had, all must have.
void put_batch(const NamedTensors& pool, const NamedTensors& batch, std::int64_t first) {
  SVI_CHECK(batch.size() == pool.size(), "training clips have different tracks");
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& [name, values] = batch[i];
    const auto& place = pool[i];
    SVI_CHECK(place.first == name && place.second.sizes().slice(1) == values.sizes().slice(1),
              "training clips have different tracks, or tracks of different sizes: ", name, " ",
              values.sizes(), " after ", place.first, " ", place.second.sizes());
    place.second.narrow(0, first, values.size(0)).copy_(values);
  }
}

std::vector<SafetensorsBuilder::Entry> entries_like(const NamedTensors& first_batch,
                                                    std::int64_t count) {
  std::vector<SafetensorsBuilder::Entry> entries;
  for (const auto& [name, tensor] : first_batch) {
    auto shape = tensor.sizes().vec();
    shape[0] = count;
    const bool levels = tensor.scalar_type() == at::kByte;
    entries.push_back({name, levels ? at::kByte : at::kFloat, std::move(shape)});
  }
  return entries;
}

}  // namespace

void LatentPool::encode(const std::filesystem::path& path, const ClipSource& source,
                        std::uint64_t seed, std::int64_t first, std::int64_t count,
                        const ClipShape& shape, const Encoders& encoders, const TrainingPlan& plan,
                        const std::function<void(std::int64_t)>& progress) {
  SVI_CHECK(count >= 1, "an empty clip pool");
  c10::NoGradGuard no_gradients;
  std::optional<SafetensorsBuilder> file;
  std::int64_t done = 0;
  while (done < count) {
    const auto size = std::min(batch_size(shape), count - done);
    std::vector<Clip> clips;
    for (std::int64_t i = 0; i < size; ++i)
      clips.push_back(source.training_clip(seed, first + done + i, shape));
    const auto batch = encode_batch(clips, encoders, shape, plan);
    if (!file) file.emplace(path, entries_like(batch, count));
    put_batch(file->tensors(), batch, done);
    done += size;
    if (progress) progress(done);
  }
  file->commit();
}

LatentPool LatentPool::open(const std::filesystem::path& path) {
  LatentPool pool;
  for (const auto& [name, tensor] : SafetensorsFile::open(path).load_all()) {
    if (name == kPoolLatent) {
      pool.latent = tensor;
    } else if (name == kPoolTail) {
      pool.tail = tensor;
    } else if (name == kPoolImageOne) {
      pool.image_one = tensor;
    } else if (name == kPoolClipOne) {
      pool.clip_one = tensor;
    } else {
      pool.condition.set(name, tensor);
    }
  }
  if (!pool.latent.defined() || !pool.tail.defined() || !pool.condition.has(part::kImage) ||
      !pool.condition.has(part::kText)) {
    raise<IoError>(
        path.string(),
        ": not a clip pool: latent, image, tail or text is missing; delete it to encode again");
  }
  return pool;
}

}  // namespace svi
