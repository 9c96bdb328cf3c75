#include "diffusion_forcing/causal_window.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <svi/core/check.hpp>

namespace forcing {
namespace {

using namespace svi;

// More passes than any guidance makes; a cache does not grow with conditions that never return.
constexpr std::size_t kMostPasses = 8;

/// What a condition tells of frames first .. first + count - 1 of a window.
Condition of_frames(Condition condition, std::int64_t first, std::int64_t count) {
  if (condition.has(part::kImage))
    condition.set(part::kImage, condition[part::kImage].narrow(2, first, count));
  return condition;
}

bool equal_parts(const Condition& a, const Condition& b) {
  if (a.names() != b.names()) return false;
  const auto names = a.names();
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return a[name].is_same(b[name]) ||
           (a[name].sizes() == b[name].sizes() && at::equal(a[name], b[name]));
  });
}

}  // namespace

std::int64_t KeyCache::bytes() const {
  std::int64_t sum = 0;
  for (const auto& entry : entries_) sum += entry.keys.bytes();
  return sum;
}

KeyCache::Entry& KeyCache::entry(const Condition& told) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& known) {
    return equal_parts(known.told, told);
  });
  if (found != entries_.end()) {
    std::rotate(found, found + 1, entries_.end());
  } else {
    if (entries_.size() >= kMostPasses) entries_.erase(entries_.begin());
    entries_.push_back({told, {}, {}, {}, {}});
  }
  return entries_.back();
}

KeyCache::Found KeyCache::find(const CausalModel& model, const at::Tensor& frames,
                               const at::Tensor& times, const Condition& condition) {
  // The image belongs to frames. Its first, which the window begins with, also tells passes apart:
  // a guidance may leave the image out, and without a sink the window begins with another frame.
  const auto images = condition.has(part::kImage) ? condition[part::kImage] : at::Tensor();
  const auto wanted = frames.size(2);
  auto told = condition;
  told.set(part::kImage, images.defined() ? images.narrow(2, 0, 1).clone() : at::Tensor());
  auto& known = entry(told);
  const auto image_of = [&](std::int64_t f) {
    return images.defined() ? images.select(2, f) : frames.select(2, f);
  };
  // Frames that stay, in order; at the first that is not there, all behind it are computed again.
  std::vector<std::int64_t> stay;
  std::vector<at::Tensor> kept, kept_times, kept_images;
  std::size_t next = 0;
  for (std::int64_t f = 0; f < wanted; ++f) {
    const auto frame = frames.select(2, f), time = times.select(1, f);
    const auto image = image_of(f);
    while (next < known.frames.size() &&
           !(at::equal(known.times[next], time) && at::equal(known.frames[next], frame) &&
             at::equal(known.images[next], image)))
      ++next;
    if (next == known.frames.size()) break;
    stay.push_back(static_cast<std::int64_t>(next));
    kept.push_back(known.frames[next]);
    kept_times.push_back(known.times[next]);
    kept_images.push_back(known.images[next]);
    ++next;
  }
  if (stay.size() != known.frames.size()) known.keys = known.keys.only(stay);
  known.frames = std::move(kept), known.times = std::move(kept_times);
  known.images = std::move(kept_images);
  const auto first = static_cast<std::int64_t>(stay.size()), count = wanted - first;
  if (count > 0) {
    FrameKeys made;
    model.velocity_behind(known.keys, frames.narrow(2, first, count), times.narrow(1, first, count),
                          of_frames(condition, first, count), &made);
    known.keys.append(made);
    for (auto f = first; f < wanted; ++f) {
      known.frames.push_back(frames.select(2, f).clone());
      known.times.push_back(times.select(1, f).clone());
      known.images.push_back(image_of(f).clone());
    }
  }
  return {known.keys, count};
}

const CausalModel& CausalWindow::causal(const VelocityModel& model) {
  const auto* causal = dynamic_cast<const CausalModel*>(&model);
  if (causal == nullptr) {
    raise<ConfigError>(
        "[method] cache = on: this model cannot keep keys and values of frames, as where a film is "
        "split over ranks; use cache = off");
  }
  return *causal;
}

CausalWindow::CausalWindow(const VelocityModel& model, KeyCache& cache, std::int64_t past,
                           std::int64_t batch)
    : model_(model), causal_(causal(model)), cache_(cache), past_(past), batch_(batch) {}

at::Tensor CausalWindow::velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                                  const Condition& condition) const {
  const auto F = noisy.size(2), block = F - past_;
  SVI_CHECK(timestep.dim() == 2 && timestep.size(1) == F, "a causal window needs times [B, F]");
  SVI_CHECK(past_ > 0 && block > 0, "a window of ", F, " frames, of which ", past_, " stand");
  const auto found =
      cache_.find(causal_, noisy.narrow(2, 0, past_), timestep.narrow(1, 0, past_), condition);
  if (found.computed > 0) written_ += noisy.size(0) / batch_;
  auto velocity = at::zeros_like(noisy);
  velocity.narrow(2, past_, block)
      .copy_(causal_.velocity_behind(found.keys, noisy.narrow(2, past_, block),
                                     timestep.narrow(1, past_, block),
                                     of_frames(condition, past_, block)));
  return velocity;
}

}  // namespace forcing
