#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "model/wan/vae/vae_network.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {

struct EncoderStream::State {
  std::shared_ptr<WanVae::Network> network;
  wan::FeatureCache cache;
  wan::FrameMemory memory;  // in place of the cache where frames go one by one
  at::Tensor waiting;       // [B, 3, T, H, W]  frames of an unfinished group
  bool started = false;
};

EncoderStream::EncoderStream(const WanVae& vae) : state_(std::make_unique<State>()) {
  state_->network = vae.network_;
}
EncoderStream::~EncoderStream() = default;

at::Tensor EncoderStream::push(const at::Tensor& video) {
  const auto [B, C, T, H, W] = dims<5>(video, "video [B, 3, T, H, W]");
  SVI_CHECK(C == 3, "expected video [B, 3, T, H, W], got ", video.sizes());
  const at::NoGradGuard guard;
  auto frames = state_->waiting.defined() ? at::cat({state_->waiting, video}, 2) : video;
  const auto group = state_->network->config.temporal_stride();
  std::vector<at::Tensor> latents;
  std::int64_t used = 0;
  for (;;) {
    const auto wanted = state_->started ? group : 1;
    if (frames.size(2) - used < wanted) break;
    const auto group_frames = frames.narrow(2, used, wanted);
    at::Tensor moments;
    if (state_->network->by_frames(video)) {
      state_->network->push_video(group_frames, state_->memory,
                                  [&](const at::Tensor& latent) { moments = latent; });
    } else {
      state_->cache.rewind();
      moments = state_->network->moments(group_frames, &state_->cache);
    }
    latents.push_back(state_->network->normalise(moments.chunk(2, 1)[0]));
    state_->started = true;
    used += wanted;
  }
  const auto left = frames.size(2) - used;
  state_->waiting = left > 0 ? frames.narrow(2, used, left).clone() : at::Tensor();
  return latents.empty() ? at::Tensor() : at::cat(latents, 2);
}

std::int64_t EncoderStream::pending() const {
  return state_->waiting.defined() ? state_->waiting.size(2) : 0;
}

void EncoderStream::reset() {
  state_->cache.clear();
  state_->memory.clear();
  state_->waiting.reset();
  state_->started = false;
}

struct DecoderStream::State {
  std::shared_ptr<WanVae::Network> network;
  wan::FeatureCache cache;
  wan::FrameMemory memory;  // in place of the cache where frames go one by one
};

DecoderStream::DecoderStream(const WanVae& vae) : state_(std::make_unique<State>()) {
  state_->network = vae.network_;
}
DecoderStream::~DecoderStream() = default;

at::Tensor DecoderStream::push(const at::Tensor& latent) {
  std::vector<at::Tensor> videos;
  push(latent, [&](const at::Tensor& video) { videos.push_back(video); });
  return videos.size() == 1 ? videos[0] : at::cat(videos, 2);
}

void DecoderStream::push(const at::Tensor& latent, const OnVideo& on_video) {
  const auto [B, z, F, h, w] = dims<5>(latent, "latent [B, z, F, h, w]");
  SVI_CHECK(z == state_->network->config.z_dim && F >= 1, "expected latent [B, ",
            state_->network->config.z_dim, ", F, h, w], got ", latent.sizes());
  const at::NoGradGuard guard;
  if (state_->network->by_frames(latent)) {
    state_->network->push_latent(latent, state_->memory, on_video);
    return;
  }
  for (std::int64_t f = 0; f < F; ++f) {
    state_->cache.rewind();
    on_video(state_->network->pixels(latent.narrow(2, f, 1), &state_->cache));
  }
}

void DecoderStream::reset() {
  state_->cache.clear();
  state_->memory.clear();
}

}  // namespace svi
