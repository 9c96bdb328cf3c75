#include "model/wan/vae/vae_frames.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "model/wan/vae/vae_layers.hpp"
#include "model/wan/vae/vae_norm.hpp"
#include "model/wan/vae/vae_winograd.hpp"

namespace svi::wan {
namespace {

constexpr std::size_t kPastFrames = 2;  // frames that a kernel of 3 reads before the current one

constexpr std::ptrdiff_t kMostWaiting = 3;  // free frames of one size: as many as a layer uses

void remember(at::Tensor frame, std::vector<at::Tensor>& past, FramePool& pool) {
  past.push_back(std::move(frame));
  if (past.size() <= kPastFrames) return;
  pool.give(std::move(past.front()));
  past.erase(past.begin());
}

/// Frames one after the other, [B, C, T, H, W] in channels-last memory.
at::Tensor as_volume(const std::vector<at::Tensor>& frames) {
  return at::stack(frames, 1).permute({0, 4, 1, 2, 3});
}

/// A convolution over `frames`, of whose kernel in time the last frames.size() taps see one; what
/// comes before the first frame is zero, and need not be multiplied.
at::Tensor convolve(const std::vector<at::Tensor>& frames, const at::Tensor& weight,
                    const at::Tensor& bias, std::int64_t space) {
  const auto taps = static_cast<std::int64_t>(frames.size());
  const auto used = weight.narrow(2, weight.size(2) - taps, taps);
  return as_frame(at::convolution(as_volume(frames), used, bias, {1, 1, 1}, {0, space, space},
                                  {1, 1, 1}, false, {0, 0, 0}, 1))
      .contiguous();
}

/// The head that ends in pixels. So few outputs are cheapest all taps at once: one convolution
/// whose outputs are the parts of this and the next two frames.
at::Tensor push_narrow(const NormConvolution& head, const at::Tensor& normed,
                       std::vector<at::Tensor>& past, FramePool& pool) {
  const auto& weight = head.convolution.weight;  // [out, in, 3, 3, 3]
  const auto out = weight.size(0), in = weight.size(1);
  const auto taps = weight.permute({2, 0, 1, 3, 4}).reshape({3 * out, in, 1, 3, 3}).contiguous();
  auto parts = pool.take({normed.size(0), normed.size(1), normed.size(2), 16});
  winograd_convolution({{normed}, false}, taps, at::zeros({3 * out}, taps.options()), {}, parts);
  auto sum = parts.narrow(3, 2 * out, out) + head.convolution.bias;
  if (!past.empty()) sum += past.back().narrow(3, out, out);
  if (past.size() == kPastFrames) sum += past.front().narrow(3, 0, out);
  remember(parts.narrow(3, 0, 2 * out).clone(), past, pool);
  pool.give(std::move(parts));
  return sum;
}

}  // namespace

at::Tensor as_volume(const at::Tensor& frame) { return frame.permute({0, 3, 1, 2}).unsqueeze(2); }
at::Tensor as_frame(const at::Tensor& volume) { return volume.squeeze(2).permute({0, 2, 3, 1}); }

at::Tensor FramePool::take(at::IntArrayRef sizes) {
  for (auto it = free_.rbegin(); it != free_.rend(); ++it) {
    if (it->sizes() != sizes) continue;
    auto frame = std::move(*it);
    free_.erase(std::next(it).base());
    return frame;
  }
  return at::empty(sizes, at::kFloat);
}

void FramePool::give(at::Tensor frame) {
  // Downsampling gives back frames that convolutions of the library made: unless some are let go,
  // every frame of a video leaves another one here.
  const auto equal = std::count_if(free_.begin(), free_.end(), [&](const at::Tensor& other) {
    return other.sizes() == frame.sizes();
  });
  if (equal < kMostWaiting) free_.push_back(std::move(frame));
}

void FramePool::drop(std::int64_t numel) {
  std::erase_if(free_, [&](const at::Tensor& frame) { return frame.numel() <= numel; });
}

FrameSlot& FrameMemory::slot(std::size_t layer) {
  if (slots_.size() <= layer) slots_.resize(layer + 1);
  return slots_[layer];
}

void NormConvolution::push(at::Tensor normed, std::vector<at::Tensor>& past, FramePool& pool,
                           const at::Tensor& add, at::Tensor& out) const {
  auto frames = past;
  frames.push_back(normed);
  winograd_convolution({std::move(frames), false}, convolution.weight, convolution.bias, add, out);
  remember(std::move(normed), past, pool);
}

void Residual::push(at::Tensor frame, FrameSlot& slot, FramePool& pool,
                    const FrameSink& emit) const {
  const auto B = frame.size(0), H = frame.size(1), W = frame.size(2);
  const auto out = second_.convolution.bias.size(0);
  auto normed = pool.take(frame.sizes());
  norm_silu(frame, first_.gamma, normed);
  auto hidden = pool.take({B, H, W, out});
  first_.push(std::move(normed), slot.past[0], pool, {}, hidden);
  norm_silu(hidden, second_.gamma, hidden);
  if (!shortcut_.empty()) {
    auto added = convolve({frame}, shortcut_[0].weight, shortcut_[0].bias, 0);
    pool.give(std::exchange(frame, std::move(added)));
  }
  second_.push(std::move(hidden), slot.past[1], pool, frame, frame);
  emit(std::move(frame));
}

void Attention::push(at::Tensor frame, FrameSlot&, FramePool&, const FrameSink& emit) const {
  emit(as_frame(forward(as_volume(frame), nullptr)).contiguous());
}

void Downsample::push(at::Tensor frame, FrameSlot& slot, FramePool& pool,
                      const FrameSink& emit) const {
  const auto padded = at::constant_pad_nd(frame, {0, 0, 0, 1, 0, 1}).permute({0, 3, 1, 2});
  auto small = space_.run(padded, {2, 2}, {0, 0}).permute({0, 2, 3, 1}).contiguous();
  pool.give(std::move(frame));
  if (time_.empty()) return emit(std::move(small));
  auto& past = slot.past[0];
  if (!std::exchange(slot.started, true)) {
    past.push_back(small.clone());  // the layers after this one write where they read
    return emit(std::move(small));
  }
  past.push_back(small);
  if (past.size() < 3) return;
  auto halved = convolve(past, time_[0].weight, time_[0].bias, 0);
  past = {std::move(small)};
  emit(std::move(halved));
}

void Upsample::enlarge(at::Tensor frame, FramePool& pool, const FrameSink& emit) const {
  const auto out = space_.bias.size(0);
  auto large = pool.take({frame.size(0), 2 * frame.size(1), 2 * frame.size(2), out});
  winograd_convolution({{std::move(frame)}, true}, space_.weight.unsqueeze(2), space_.bias, {},
                       large);
  emit(std::move(large));
}

void Upsample::push(at::Tensor frame, FrameSlot& slot, FramePool& pool,
                    const FrameSink& emit) const {
  pool.drop(frame.numel());
  if (time_.empty()) return enlarge(std::move(frame), pool, emit);
  if (!std::exchange(slot.started, true)) return enlarge(std::move(frame), pool, emit);
  auto& past = slot.past[0];
  auto frames = past;
  frames.push_back(frame);
  const auto C = frame.size(3);
  for (std::int64_t half = 0; half < 2; ++half) {
    enlarge(convolve(frames, time_[0].weight.narrow(0, half * C, C),
                     time_[0].bias.narrow(0, half * C, C), 0),
            pool, emit);
  }
  remember(std::move(frame), past, pool);
}

void Side::push(at::Tensor frame, FrameMemory& memory, const FrameSink& emit) const {
  std::vector<const Layer*> order;
  for (const auto& layer : levels) order.push_back(layer.get());
  auto place = encoder ? order.end() : order.begin();
  for (const auto& layer : middle) place = std::next(order.insert(place, layer.get()));

  auto& pool = memory.pool();
  const auto finish = [&](at::Tensor x) {
    norm_silu(x, head.gamma, x);
    auto& past = memory.slot(order.size()).past[0];
    const auto out = head.convolution.bias.size(0);
    if (3 * out <= 16) {
      auto pixels = push_narrow(head, x, past, pool);
      pool.give(std::move(x));
      return emit(std::move(pixels));
    }
    const auto written = (out + 15) / 16 * 16;  // the convolution's rows end at a whole vector
    auto result = at::empty({x.size(0), x.size(1), x.size(2), written}, x.options());
    head.push(std::move(x), past, pool, {}, result);
    emit(result.narrow(3, 0, out).contiguous());
  };
  const std::function<void(std::size_t, at::Tensor)> run = [&](std::size_t layer, at::Tensor x) {
    if (layer == order.size()) return finish(std::move(x));
    order[layer]->push(std::move(x), memory.slot(layer), pool,
                       [&run, layer](at::Tensor next) { run(layer + 1, std::move(next)); });
  };
  auto& past = memory.slot(order.size() + 1).past[0];
  past.push_back(std::move(frame));
  auto first = convolve(past, input.weight, input.bias, 1);
  if (past.size() > kPastFrames) past.erase(past.begin());
  run(0, std::move(first));
}

}  // namespace svi::wan
