#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/wan/kernels/flash_kernel.hpp"
#include "model/wan/kernels/kernels.hpp"
#include "model/wan/kernels/numbers.hpp"
#include "model/wan/layers/lean.hpp"
#include "svi/model/wan/lean_blocks.hpp"
#include "svi/tensor/threads.hpp"

namespace svi {
namespace {

constexpr std::int64_t kColumns = 64;  // channels of a head the flash kernel takes at a time

}  // namespace

bool attends_in_panels(std::int64_t head_dim) { return head_dim % kColumns == 0; }

}  // namespace svi

namespace svi::wan::lean {
namespace {

constexpr std::int64_t kRowGrain = 64;

const float* widened(const float* row, std::int64_t, float*) { return row; }
const float* widened(const Bf16Bits* row, std::int64_t D, float* scratch) {
  widen(row, D, scratch);
  return scratch;
}

// RMSNorm over all heads and rotation, row by row; rows as they are where there is no norm.
template <class T>
struct NormedRows {
  NormedRows(const at::Tensor& x, const at::Tensor& norm, const WanRope* rope, const Heads& shape)
      : data(numbers<T>(x)),
        D(x.size(2)),
        gain(norm.defined() ? norm.to(at::kFloat) : norm),
        cos(rope == nullptr ? nullptr : rope->cos.const_data_ptr<float>()),
        sin(rope == nullptr ? nullptr : rope->sin.const_data_ptr<float>()),
        length(x.size(1)),
        heads(shape) {}

  // `scratch` and `out` have width D.
  void make(std::int64_t row, float* scratch, float* out) const {
    const auto head_dim = D / heads.count, angle = row % length * (head_dim / 2);
    const auto* values = widened(data + row * D, D, scratch);
    if (!gain.defined()) {
      std::copy_n(values, D, out);
      return;
    }
    rms_rope_row(values, gain.const_data_ptr<float>(), cos == nullptr ? nullptr : cos + angle,
                 sin == nullptr ? nullptr : sin + angle, heads.count, head_dim,
                 static_cast<float>(heads.eps), out);
  }

  const T* data;
  std::int64_t D;
  at::Tensor gain;
  const float* cos;
  const float* sin;
  std::int64_t length;
  Heads heads;
};

// [B, L, D] -> [B, L, D], or [B, heads, L, head_dim] where `split`; times `scale`.
template <class T>
at::Tensor normed(const at::Tensor& x, const at::Tensor& norm, const WanRope* rope,
                  const Heads& heads, bool split, double scale) {
  const auto B = x.size(0), L = x.size(1), D = x.size(2), head_dim = D / heads.count;
  const auto out =
      split ? at::empty({B, heads.count, L, head_dim}, x.options()) : at::empty_like(x);
  const NormedRows<T> rows(x, norm, rope, heads);
  auto* to = mutable_numbers<T>(out);
  parallel_for(0, B * L, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(2 * D));
    auto* row = scratch.data() + D;
    for (auto i = begin; i < end; ++i) {
      rows.make(i, scratch.data(), row);
      if (!split) {
        narrow(row, D, static_cast<float>(scale), to + i * D);
        continue;
      }
      for (std::int64_t h = 0; h < heads.count; ++h) {
        const auto place = ((i / L * heads.count + h) * L + i % L) * head_dim;
        narrow(row + h * head_dim, head_dim, static_cast<float>(scale), to + place);
      }
    }
  });
  return out;
}

// The panels of flash_kernel.hpp: [B, heads, panels, 64 head_dim] each.
template <class T>
void pack(const at::Tensor& k, const at::Tensor& v, const at::Tensor& norm, const WanRope* rope,
          const Heads& heads, Keys& made) {
  const auto B = k.size(0), M = k.size(1), D = k.size(2), head_dim = D / heads.count;
  const auto panels = (M + kPanelKeys - 1) / kPanelKeys, size = kPanelKeys * head_dim;
  made.k = at::empty({B, heads.count, panels, size}, k.options());
  made.v = at::empty({B, heads.count, panels, size}, k.options());
  const NormedRows<T> rows(k, norm, rope, heads);
  const auto* values = numbers<T>(v);
  auto* k_out = mutable_numbers<T>(made.k);
  auto* v_out = mutable_numbers<T>(made.v);
  parallel_for(0, B * panels, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>((kPanelKeys + 1) * D));
    auto* normed_rows = scratch.data() + D;
    for (auto i = begin; i < end; ++i) {
      const auto b = i / panels, panel = i % panels, first = panel * kPanelKeys;
      const auto count = std::min(kPanelKeys, M - first);
      for (std::int64_t j = 0; j < count; ++j) {
        rows.make(b * M + first + j, scratch.data(), normed_rows + j * D);
      }
      std::fill(normed_rows + count * D, normed_rows + kPanelKeys * D, 0.0F);
      for (std::int64_t h = 0; h < heads.count; ++h) {
        const auto place = ((b * heads.count + h) * panels + panel) * size;
        pack_keys(normed_rows + h * head_dim, D, head_dim, k_out + place);
        pack_values(values + (b * M + first) * D + h * head_dim, D, count, head_dim, v_out + place);
      }
    }
  });
}

void flash_tile(const FlashTile& tile, float) { flash_tile_fp32(tile); }
void flash_tile(const FlashTile& tile, Bf16Bits) { flash_tile_bf16(tile); }

// q [B, heads, L, head_dim], scaled -> [B, L, D].
template <class T>
at::Tensor flash(const at::Tensor& q, const Keys& keys) {
  const auto B = q.size(0), heads = q.size(1), L = q.size(2), head_dim = q.size(3);
  const auto out = at::empty({B, L, heads * head_dim}, q.options());
  const auto tiles = (L + kTileQueries - 1) / kTileQueries;
  const auto stride = keys.k.stride(1);  // numbers of one head's panels
  const auto* queries = numbers<T>(q);
  const auto* k = numbers<T>(keys.k);
  const auto* v = numbers<T>(keys.v);
  auto* to = mutable_numbers<T>(out);
  parallel_for(0, B * heads * tiles, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(flash_scratch(head_dim)));
    for (auto i = begin; i < end; ++i) {
      const auto b = i / (heads * tiles), h = i / tiles % heads, first = i % tiles * kTileQueries;
      const auto panels = (b * heads + h) * stride;
      flash_tile(FlashTile{.queries = queries + ((b * heads + h) * L + first) * head_dim,
                           .rows = std::min(kTileQueries, L - first),
                           .keys = k + panels,
                           .values = v + panels,
                           .count = keys.count,
                           .last_weight = static_cast<float>(keys.last_weight),
                           .head_dim = head_dim,
                           .out = to + ((b * L + first) * heads + h) * head_dim,
                           .out_stride = heads * head_dim,
                           .scratch = scratch.data()},
                 T{});
    }
  });
  return out;
}

at::Tensor split_heads(const at::Tensor& x, std::int64_t heads) {
  return x.unflatten(2, {heads, -1}).transpose(1, 2);
}

// LibTorch's attention, where heads have other sizes.
at::Tensor library_attention(const at::Tensor& q, const Keys& keys, std::int64_t heads) {
  std::optional<at::Tensor> mask;
  if (keys.last_weight != 1) {
    mask = at::zeros({1, 1, 1, keys.count}, q.options());
    mask->select(3, keys.count - 1).fill_(std::log(keys.last_weight));
  }
  return at::scaled_dot_product_attention(split_heads(q, heads), split_heads(keys.k, heads),
                                          split_heads(keys.v, heads), mask)
      .transpose(1, 2)
      .flatten(2);
}

template <class T>
Keys make_keys(const at::Tensor& k, const at::Tensor& v, const at::Tensor& norm,
               const WanRope* rope, const Heads& heads, double last_weight) {
  Keys made;
  made.count = k.size(1);
  made.last_weight = last_weight;
  made.panels = attends_in_panels(k.size(2) / heads.count);
  if (made.panels) {
    pack<T>(k, v, norm, rope, heads, made);
  } else {
    made.k = normed<T>(k, norm, rope, heads, false, 1);
    made.v = v;
  }
  return made;
}

template <class T>
at::Tensor attend_as(const at::Tensor& q, const at::Tensor& norm, const WanRope* rope,
                     const Heads& heads, const Keys& keys) {
  if (!keys.panels) {
    return library_attention(normed<T>(q, norm, rope, heads, false, 1), keys, heads.count);
  }
  const auto head_dim = static_cast<double>(q.size(2)) / static_cast<double>(heads.count);
  const double scale = std::log2(std::exp(1.0)) / std::sqrt(head_dim);
  return flash<T>(normed<T>(q, norm, rope, heads, true, scale), keys);
}

}  // namespace

at::Tensor normed(const at::Tensor& x, const at::Tensor& norm, const WanRope& rope,
                  const Heads& heads) {
  return x.scalar_type() == at::kFloat ? normed<float>(x, norm, &rope, heads, false, 1)
                                       : normed<Bf16Bits>(x, norm, &rope, heads, false, 1);
}

Keys keys(const at::Tensor& k, const at::Tensor& v, const at::Tensor& norm, const WanRope* rope,
          const Heads& heads, double last_weight) {
  return k.scalar_type() == at::kFloat ? make_keys<float>(k, v, norm, rope, heads, last_weight)
                                       : make_keys<Bf16Bits>(k, v, norm, rope, heads, last_weight);
}

at::Tensor attend(const at::Tensor& q, const at::Tensor& norm, const WanRope* rope,
                  const Heads& heads, const Keys& keys) {
  return q.scalar_type() == at::kFloat ? attend_as<float>(q, norm, rope, heads, keys)
                                       : attend_as<Bf16Bits>(q, norm, rope, heads, keys);
}

}  // namespace svi::wan::lean
