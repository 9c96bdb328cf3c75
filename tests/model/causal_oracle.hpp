#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "svi/model/condition.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi::test {

/// The transformer of Wan 2.1 in fp64 from its weights alone, over runs of frames that each see
/// what they are told to see: nothing is kept, and all frames are computed. One sample, no image
/// tokens, patches of one latent frame.
class CausalOracle {
 public:
  /// Frames that are denoised together.
  struct Run {
    std::vector<std::int64_t> frames;  // of the latent
    std::vector<std::int64_t> seen;    // frames whose keys they see, their own last; rank is place
  };

  explicit CausalOracle(const WanDit& dit) : config_(dit.config()) {
    for (const auto& [name, tensor] : dit.parameters()) weights_[name] = tensor.to(at::kDouble);
  }

  /// input [in_dim, F, h, w]: noisy and condition image on channels; timestep [F]; text [L, D].
  /// Every frame is in one run. Returns the velocity, [out_dim, F, h, w].
  at::Tensor velocity(const at::Tensor& input, const at::Tensor& timestep, const at::Tensor& text,
                      const std::vector<Run>& runs) const {
    const auto& p = config_.patch;
    const auto F = input.size(1), h = input.size(2) / p[1], w = input.size(3) / p[2];
    // [F, h w, in_dim p p], channel slowest
    const auto patches = input.to(at::kDouble)
                             .view({input.size(0), F, h, p[1], w, p[2]})
                             .permute({1, 2, 4, 0, 3, 5})
                             .reshape({F, h * w, -1});
    auto x = at::linear(patches, weight("patch_embedding.weight").flatten(1),
                        weight("patch_embedding.bias"));  // [F, n, D]
    const auto wave = sinusoid(timestep.to(at::kDouble));
    const auto time = linear(at::silu(linear(wave, "time_embedding.0")), "time_embedding.2");
    const auto all = linear(at::silu(time), "time_projection.1").view({F, 6, config_.dim});
    const auto padded =
        at::constant_pad_nd(text.to(at::kDouble), {0, 0, 0, config_.text_len - text.size(0)});
    const auto told = linear(at::gelu(linear(padded, "text_embedding.0"), "tanh"),
                             "text_embedding.2");  // [L, D]
    for (std::int64_t i = 0; i < config_.layers; ++i)
      x = block("blocks." + std::to_string(i) + ".", x, all, told, runs, h, w);
    const auto head = weight("head.modulation") + time.unsqueeze(1);  // [F, 2, D]
    const auto out = linear(normed(x, head.select(1, 0), head.select(1, 1)), "head.head");
    return out.view({F, h, w, p[1], p[2], config_.out_dim})
        .permute({5, 0, 1, 3, 2, 4})
        .reshape({config_.out_dim, F, h * p[1], w * p[2]});
  }

 private:
  const at::Tensor& weight(const std::string& name) const { return weights_.at(name); }
  at::Tensor linear(const at::Tensor& x, const std::string& name) const {
    return at::linear(x, weight(name + ".weight"), weight(name + ".bias"));
  }
  at::Tensor sinusoid(const at::Tensor& t) const {  // [F] -> [F, freq_dim]
    const auto half = config_.freq_dim / 2;
    const auto frequency =
        at::exp(at::arange(half, at::kDouble) * (-std::log(10000.0) / static_cast<double>(half)));
    const auto angle = at::outer(t, frequency);
    return at::cat({at::cos(angle), at::sin(angle)}, 1);
  }
  at::Tensor layer_norm(const at::Tensor& x) const {
    const auto centred = x - x.mean(-1, true);
    return centred / (centred.square().mean(-1, true) + config_.eps).sqrt();
  }
  /// x [F, n, D]; shift, scale [F, D].
  at::Tensor normed(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale) const {
    return layer_norm(x) * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1);
  }
  at::Tensor rms(const at::Tensor& x, const std::string& gain) const {
    return x / (x.square().mean(-1, true) + config_.eps).sqrt() * weight(gain);
  }
  /// x [l, D] at places [l] of frame, row and column -> the same, channel pairs of heads rotated.
  at::Tensor rotated(const at::Tensor& x, const at::Tensor& f, const at::Tensor& y,
                     const at::Tensor& c) const {
    const auto head_dim = config_.dim / config_.heads, space = 2 * (head_dim / 6);
    const auto axis = [](const at::Tensor& place, std::int64_t width) {
      const auto power = at::arange(0, width, 2, at::kDouble) / static_cast<double>(width);
      return at::outer(place, at::pow(10000.0, -power));
    };
    const auto angle =
        at::cat({axis(f, head_dim - 2 * space), axis(y, space), axis(c, space)}, 1).unsqueeze(1);
    const auto pairs = x.view({x.size(0), config_.heads, head_dim / 2, 2});
    const auto even = pairs.select(3, 0), odd = pairs.select(3, 1);
    return at::stack({even * at::cos(angle) - odd * at::sin(angle),
                      even * at::sin(angle) + odd * at::cos(angle)},
                     3)
        .view(x.sizes());
  }
  /// q [l, D], k and v [m, D] -> [l, D]
  at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) const {
    const auto heads = config_.heads;
    const auto split = [heads](const at::Tensor& x) {
      return x.view({x.size(0), heads, -1}).transpose(0, 1);
    };
    const auto head_dim = static_cast<double>(config_.dim / heads);
    const auto scores = at::matmul(split(q), split(k).transpose(1, 2)) / std::sqrt(head_dim);
    return at::matmul(at::softmax(scores, 2), split(v)).transpose(0, 1).reshape(q.sizes());
  }
  at::Tensor self_attention(const std::string& name, const at::Tensor& x,
                            const std::vector<Run>& runs, std::int64_t h, std::int64_t w) const {
    const auto q = rms(linear(x, name + ".q"), name + ".norm_q.weight");
    const auto k = rms(linear(x, name + ".k"), name + ".norm_k.weight");
    const auto v = linear(x, name + ".v");
    auto out = at::zeros_like(x);
    for (const auto& run : runs) {
      const auto own = at::tensor(run.frames), seen = at::tensor(run.seen);
      const auto m = seen.size(0), first = m - own.size(0);
      const auto grid = [&](std::int64_t begin, std::int64_t count, const at::Tensor& of) {
        const auto whole = at::TensorOptions(at::kDouble);
        const auto f = at::arange(begin, begin + count, whole).repeat_interleave(h * w);
        const auto y = at::arange(h, whole).repeat_interleave(w).repeat({count});
        const auto c = at::arange(w, whole).repeat({count * h});
        return rotated(of.flatten(0, 1), f, y, c);
      };
      const auto result =
          attention(grid(first, m - first, q.index_select(0, own)),
                    grid(0, m, k.index_select(0, seen)), v.index_select(0, seen).flatten(0, 1));
      out.index_copy_(0, own, result.view({own.size(0), h * w, -1}));
    }
    return linear(out, name + ".o");
  }
  at::Tensor block(const std::string& name, at::Tensor x, const at::Tensor& times,
                   const at::Tensor& text, const std::vector<Run>& runs, std::int64_t h,
                   std::int64_t w) const {
    const auto e = (weight(name + "modulation") + times).unbind(1);  // six of [F, D]
    x = x +
        self_attention(name + "self_attn", normed(x, e[0], e[1]), runs, h, w) * e[2].unsqueeze(1);
    const auto cross = name + "cross_attn";
    const auto q =
        rms(linear(layer_norm(x) * weight(name + "norm3.weight") + weight(name + "norm3.bias"),
                   cross + ".q"),
            cross + ".norm_q.weight");
    const auto read =
        attention(q.flatten(0, 1), rms(linear(text, cross + ".k"), cross + ".norm_k.weight"),
                  linear(text, cross + ".v"));
    x = x + linear(read.view(x.sizes()), cross + ".o");
    const auto hidden = at::gelu(linear(normed(x, e[3], e[4]), name + "ffn.0"), "tanh");
    return x + linear(hidden, name + "ffn.2") * e[5].unsqueeze(1);
  }

  WanDitConfig config_;
  std::map<std::string, at::Tensor> weights_;
};

}  // namespace svi::test
