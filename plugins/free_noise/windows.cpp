#include "windows.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <svi/core/check.hpp>

namespace windows {

std::vector<std::int64_t> first_frames(std::int64_t frames, std::int64_t window,
                                       std::int64_t stride) {
  SVI_CHECK(window >= 1 && stride >= 1 && stride <= window && frames >= window, "windows of ",
            window, " frames, ", stride, " apart, over ", frames);
  std::vector<std::int64_t> firsts;
  for (std::int64_t first = 0; first + window < frames; first += stride) firsts.push_back(first);
  firsts.push_back(frames - window);
  return firsts;
}

at::Tensor triangle(std::int64_t window) {
  const auto up = at::arange(1, window + 1, at::kFloat);
  return at::minimum(up, up.flip({0}));
}

at::Tensor shares(const at::Tensor& weights, const std::vector<std::int64_t>& firsts,
                  std::int64_t frames) {
  const auto w = weights.size(2);
  auto sum = weights.new_zeros({weights.size(0), frames});
  for (std::size_t v = 0; v < firsts.size(); ++v)
    sum.narrow(1, firsts[v], w).add_(weights.select(1, static_cast<std::int64_t>(v)));
  SVI_CHECK(sum.min().item<float>() > 0, "a frame lies in no window");
  auto result = at::empty_like(weights);
  for (std::size_t v = 0; v < firsts.size(); ++v) {
    const auto row = static_cast<std::int64_t>(v);
    result.select(1, row).copy_(weights.select(1, row) / sum.narrow(1, firsts[v], w));
  }
  return result;
}

at::Tensor last_writer(const at::Tensor& begins, const std::vector<std::int64_t>& firsts,
                       std::int64_t window, std::int64_t frames) {
  const auto n = begins.size(0), V = begins.size(1);
  auto writer = at::full({n, frames}, -1, at::kLong);
  const auto local = at::arange(window).unsqueeze(0);  // [1, w]
  for (std::int64_t v = 0; v < V; ++v) {
    auto here = writer.narrow(1, firsts[static_cast<std::size_t>(v)], window);
    here.masked_fill_(local >= begins.select(1, v).unsqueeze(1), v);
  }
  auto weights = at::empty({n, V, window});
  for (std::int64_t v = 0; v < V; ++v) {
    weights.select(1, v).copy_(writer.narrow(1, firsts[static_cast<std::size_t>(v)], window).eq(v));
  }
  return weights;
}

at::Tensor rescheduled(
    const at::Tensor& noise, std::int64_t frames, std::int64_t stride,
    const std::function<at::Tensor(std::int64_t block, std::int64_t count)>& order) {
  const auto w = noise.size(2);
  SVI_CHECK(stride <= w, "blocks of ", stride, " frames of a window of ", w);
  auto sizes = noise.sizes().vec();
  sizes[2] = frames;
  auto film = noise.new_empty(sizes);
  const auto head = std::min(w, frames);
  film.narrow(2, 0, head).copy_(noise.narrow(2, 0, head));
  std::int64_t block = 0;
  for (auto frame = w; frame < frames; frame += stride, ++block) {
    const auto count = std::min(stride, frames - frame);
    const auto from = order(block, count);  // [B, n]
    for (std::int64_t b = 0; b < noise.size(0); ++b) {
      film[b]
          .narrow(1, frame, count)
          .copy_(film[b].narrow(1, frame - w, count).index_select(1, from[b]));
    }
  }
  return film;
}

Turn turn_at(const std::vector<Stretch>& stretches, double blend, double frame) {
  SVI_CHECK(!stretches.empty(), "a film without a prompt");
  for (std::size_t i = 0; i + 1 < stretches.size(); ++i) {
    const auto &here = stretches[i], &next = stretches[i + 1];
    const auto first = std::floor(here.end - blend * (here.end - here.begin));
    const auto last = std::ceil(here.end + blend * (next.end - next.begin)) - 1;
    if (frame > last) continue;
    if (frame < first || last <= first) return {here.prompt, here.prompt, 0};
    return {here.prompt, next.prompt, (frame - first) / (last - first)};
  }
  return {stretches.back().prompt, stretches.back().prompt, 0};
}

}  // namespace windows
