#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <memory>
#include <vector>

#include "model/wan/dit/block.hpp"
#include "model/wan/dit/dit_parts.hpp"
#include "model/wan/dit/split.hpp"
#include "model/wan/layers/ops.hpp"
#include "svi/core/check.hpp"
#include "svi/model/lora.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/model/wan/positions.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

constexpr double kEmbeddingEps = 1e-5;  // norms of the image embedding

// [B, C, F, h, w] -> [B, L, C pf ph pw]; tokens in the order frame, row, column.
at::Tensor patchify(const at::Tensor& x, const std::vector<std::int64_t>& p) {
  const auto B = x.size(0), C = x.size(1);
  const auto f = x.size(2) / p[0], h = x.size(3) / p[1], w = x.size(4) / p[2];
  return x.reshape({B, C, f, p[0], h, p[1], w, p[2]})
      .permute({0, 2, 4, 6, 1, 3, 5, 7})
      .reshape({B, f * h * w, C * p[0] * p[1] * p[2]});
}

// [B, L, pf ph pw C] -> [B, C, F, h, w]; the channel is the fastest in a token.
at::Tensor unpatchify(const at::Tensor& x, const std::vector<std::int64_t>& p, std::int64_t f,
                      std::int64_t h, std::int64_t w, std::int64_t C) {
  const auto B = x.size(0);
  return x.reshape({B, f, h, w, p[0], p[1], p[2], C})
      .permute({0, 7, 1, 4, 2, 5, 3, 6})
      .reshape({B, C, f * p[0], h * p[1], w * p[2]});
}

void check_text(const WanDitConfig& config, const at::Tensor& text) {
  const auto [B, L, D] = dims<3>(text, "condition.text [B, L, D]");
  SVI_CHECK(D == config.text_dim, "condition.text ", text.sizes(), ", the model's text_dim is ",
            config.text_dim);
  SVI_CHECK(config.text_len == 0 || L <= config.text_len, "condition.text has ", L,
            " rows, the model takes ", config.text_len);
}

// [B, F] whose frames agree as [B]: one row of the time embedding per sample, hence its very bits.
at::Tensor per_sample_if_equal(const at::Tensor& timestep) {
  if (timestep.dim() == 1) return timestep;
  const auto first = timestep.select(1, 0);
  return (timestep == first.unsqueeze(1)).all().item<bool>() ? first : timestep;
}

void check_timestep(const WanDitConfig& config, const at::Tensor& timestep,
                    const at::Tensor& noisy) {
  const auto B = noisy.size(0), F = noisy.size(2);
  const bool per_sample = timestep.dim() == 1 && timestep.size(0) == B;
  const bool per_frame = timestep.dim() == 2 && timestep.size(0) == B && timestep.size(1) == F;
  SVI_CHECK(per_sample || per_frame, "timestep ", timestep.sizes(),
            " is neither [B] nor [B, F], one per sample or latent frame of ", noisy.sizes());
  SVI_CHECK(per_sample || config.patch[0] == 1, "a model whose patches span ", config.patch[0],
            " latent frames takes one timestep per sample, not one per frame");
}

void check_parts(const WanDitParts& parts, const Condition& condition) {
  std::vector<PartRule> rules;  // own the names
  for (const auto& extension : parts.extensions) {
    for (auto& rule : extension->reads()) rules.push_back(std::move(rule));
  }
  std::vector<std::string_view> known{part::kText, part::kImage, part::kClip};
  for (const auto& rule : rules) known.emplace_back(rule.name);
  condition.require_known(known);
}

at::Tensor padded(const at::Tensor& text, std::int64_t length) {
  const auto L = text.size(1);
  return length > L ? at::constant_pad_nd(text, {0, 0, 0, length - L}) : text;
}

at::Tensor embed_text(const WanDitParts& parts, const at::Tensor& text) {
  const auto hidden =
      at::gelu(wan::linear(text.to(parts.text_0.weight.scalar_type()), parts.text_0), "tanh");
  return wan::linear(hidden, parts.text_2);
}

at::Tensor embed_image(const WanDitParts& parts, const at::Tensor& clip) {
  const auto [B, N, D] = dims<3>(clip, "condition.clip [B, tokens, D]");
  SVI_CHECK(D == parts.config.image_dim, "condition.clip ", clip.sizes(),
            ", the model's image_dim is ", parts.config.image_dim);
  const auto normed =
      wan::affine_norm(clip.to(parts.img_1.weight.scalar_type()), parts.img_norm_in_weight,
                       parts.img_norm_in_bias, kEmbeddingEps);
  const auto hidden = wan::linear(at::gelu(wan::linear(normed, parts.img_1)), parts.img_3);
  return wan::affine_norm(hidden, parts.img_norm_out_weight, parts.img_norm_out_bias,
                          kEmbeddingEps);
}

// Every weight that the keys and values of a context depend on.
std::vector<at::Tensor> context_weights(const WanDitParts& parts) {
  std::vector<at::Tensor> weights;
  const auto add = [&](const at::Tensor& weight) {
    if (weight.defined()) weights.push_back(weight);
  };
  const auto linear = [&](const WanLinear& layer) {
    add(layer.weight);
    add(layer.bias);
  };
  for (const auto* layer : {&parts.text_0, &parts.text_2, &parts.img_1, &parts.img_3}) {
    linear(*layer);
  }
  for (const auto* weight : {&parts.img_norm_in_weight, &parts.img_norm_in_bias,
                             &parts.img_norm_out_weight, &parts.img_norm_out_bias}) {
    add(*weight);
  }
  for (const auto& block : parts.blocks) {
    const auto& cross = block.cross_attn;
    for (const auto* layer : {&cross.k, &cross.v, &cross.k_img, &cross.v_img}) linear(*layer);
    add(cross.norm_k);
    add(cross.norm_k_img);
  }
  if (parts.lora != nullptr) add(parts.lora->flat());
  return weights;
}

std::shared_ptr<wan::Context> context_of(const WanDitParts& parts, const Condition& condition) {
  const auto& config = parts.config;
  const auto [text, last_weight] = wan::without_padding(condition[part::kText], config.text_len);
  const auto make = [&parts, &condition, &rows = text, weight = last_weight](bool keep) {
    const auto image =
        parts.config.image_dim > 0 ? embed_image(parts, condition[part::kClip]) : at::Tensor();
    return std::make_shared<wan::Context>(embed_text(parts, rows), weight, image,
                                          parts.blocks.size(), keep);
  };
  return parts.contexts->find(
      text, last_weight, config.image_dim > 0 ? condition[part::kClip] : at::Tensor(),
      context_weights(parts), parts.lora == nullptr ? 0 : parts.lora->scale(), make);
}

// noisy and the condition latent on channels, in the weights' dtype.
at::Tensor join_input(const WanDitConfig& config, const at::Tensor& noisy,
                      const Condition& condition, at::ScalarType dtype) {
  const auto [B, C, F, h, w] = dims<5>(noisy, "noisy [B, C, F, h, w]");
  auto x = noisy.to(dtype);
  const auto& image = condition[part::kImage];
  if (image.defined() && config.in_dim > C) {
    const auto sizes = dims<5>(image, "condition.image [B, 4 + C, F, h, w]");
    SVI_CHECK(sizes[0] == B && sizes[2] == F && sizes[3] == h && sizes[4] == w, "condition.image ",
              image.sizes(), " does not fit noisy ", noisy.sizes());
    x = at::cat({x, image.to(dtype)}, 1);
  }
  SVI_CHECK(x.size(1) == config.in_dim, "the model takes ", config.in_dim,
            " input channels, noisy and condition.image give ", x.size(1));
  SVI_CHECK(F % config.patch[0] == 0 && h % config.patch[1] == 0 && w % config.patch[2] == 0,
            "noisy ", noisy.sizes(), " is not a whole number of patches ", config.patch[0], " x ",
            config.patch[1], " x ", config.patch[2]);
  return x;
}

// What the blocks see of flow times.
struct TimeEmbedding {
  at::Tensor modulation;  // [B, 6, D] or [B, F, 6, D]  fp32
  at::Tensor head;        // [B, 2, D] or [B, F, 2, D]  fp32
};

TimeEmbedding embed_time(const WanDitParts& parts, const at::Tensor& timestep) {
  const auto& config = parts.config;
  const auto wave =
      wan_sinusoid(timestep.flatten(), config.freq_dim).to(parts.time_0.weight.scalar_type());
  auto time = wan::linear(at::silu(wan::linear(wave, parts.time_0)), parts.time_2);
  auto modulation = wan::linear(at::silu(time), parts.time_projection)
                        .unflatten(1, {6, config.dim})
                        .to(at::kFloat);
  if (timestep.dim() == 2) {  // [B, F, D], [B, F, 6, D]
    time = time.unflatten(0, timestep.sizes());
    modulation = modulation.unflatten(0, timestep.sizes());
  }
  return {modulation, parts.head_modulation.to(at::kFloat) + time.to(at::kFloat).unsqueeze(-2)};
}

// The latent's tokens and behind them those of all groups, with their places and times in `stream`.
at::Tensor join_groups(const WanDitParts& parts, const std::vector<TokenGroup>& groups,
                       const at::Tensor& x, wan::Stream& stream) {
  const auto B = x.size(0), L = x.size(1);
  const auto device = x.device();
  std::vector<at::Tensor> tokens{x}, cos{stream.rope.cos}, sin{stream.rope.sin}, times, rows;
  const bool per_frame = stream.modulation.dim() == 4;
  const auto first = per_frame ? stream.modulation.size(1) : 1;  // row of the first group
  const auto whole = at::TensorOptions(at::kLong);
  rows.push_back(per_frame ? at::arange(L, whole).floor_divide(stream.frames.tokens)
                           : at::zeros({L}, whole));
  for (const auto& group : groups) {
    tokens.push_back(group.tokens.to(device, x.scalar_type()));
    const auto [c, s] = wan_rope(parts.config.dim / parts.config.heads, group.positions);
    cos.push_back(c.to(device));
    sin.push_back(s.to(device));
    rows.push_back(
        at::full({group.tokens.size(1)}, first + static_cast<std::int64_t>(times.size()), whole));
    times.push_back(group.time.defined() ? group.time.to(device, at::kFloat)
                                         : at::zeros({B}, x.options().dtype(at::kFloat)));
  }
  const auto embedded = embed_time(parts, at::stack(times, 1));  // [B, groups, n, D]
  const auto with_rows = [&](const at::Tensor& latent, const at::Tensor& others) {
    return at::cat({per_frame ? latent : latent.unsqueeze(1), others}, 1);
  };
  stream.modulation = with_rows(stream.modulation, embedded.modulation);
  stream.head_modulation = with_rows(stream.head_modulation, embedded.head);
  stream.frames.row = at::cat(rows).to(device);
  stream.rope.cos = at::cat(cos);
  stream.rope.sin = at::cat(sin);
  return at::cat(tokens, 1);
}

// This rank's tokens, and their positions in `stream`.
at::Tensor own_share(const wan::Split& split, const at::Tensor& tokens, wan::Stream& stream) {
  SVI_CHECK(!c10::GradMode::is_enabled(),
            "a model that is split over ranks computes without gradients: put an at::NoGradGuard "
            "around it");
  const auto own = split.tokens(tokens.size(1));
  stream.split = &split;
  stream.frames.first = own.first;
  stream.rope.cos = stream.rope.cos.narrow(0, own.first, own.count);
  stream.rope.sin = stream.rope.sin.narrow(0, own.first, own.count);
  return tokens.narrow(1, own.first, own.count);
}

}  // namespace

at::Tensor wan::embed_patches(const WanDitParts& parts, const at::Tensor& latent) {
  const auto& config = parts.config;
  const auto [B, C, f, h, w] = dims<5>(latent, "a latent to embed [B, C, f, h, w]");
  SVI_CHECK(C <= config.in_dim, "a latent of ", C, " channels, the patch embedding takes ",
            config.in_dim);
  SVI_CHECK(f % config.patch[0] == 0 && h % config.patch[1] == 0 && w % config.patch[2] == 0,
            "a latent ", latent.sizes(), " is not a whole number of patches ", config.patch[0],
            " x ", config.patch[1], " x ", config.patch[2]);
  const auto& layer = parts.patch_embedding;
  const auto x = patchify(latent.to(layer.weight.scalar_type()), config.patch);
  return at::linear(x, layer.weight.narrow(1, 0, C).flatten(1), layer.bias);
}

std::int64_t WanDit::tokens() const { return parts_->tokens; }

at::Tensor WanDit::velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                            const Condition& condition) const {
  return wan::forward(*parts_, noisy, timestep, condition, nullptr);
}

at::Tensor wan::forward(const WanDitParts& parts, const at::Tensor& noisy, const at::Tensor& times,
                        const Condition& condition, FiniteProbe* probe, Behind* behind) {
  const auto see = [&](const char* part, const at::Tensor& output) {
    if (probe) probe->see(part, output);
  };
  const auto& config = parts.config;
  const auto dtype = parts.head.weight.scalar_type();
  const auto input = join_input(config, noisy, condition, dtype);
  const auto B = input.size(0);
  check_timestep(config, times, noisy);
  const auto timestep = per_sample_if_equal(times);
  check_parts(parts, condition);
  const auto& text = condition[part::kText];
  SVI_CHECK(text.defined() && text.size(0) == B, "condition.text must have one context per sample");
  SVI_CHECK(config.image_dim == 0 || condition.has(part::kClip),
            "this model has an image branch: condition.clip is missing");
  const auto f = input.size(2) / config.patch[0], h = input.size(3) / config.patch[1],
             w = input.size(4) / config.patch[2];

  const auto embedded = embed_time(parts, timestep);
  wan::Stream stream;
  stream.modulation = embedded.modulation;
  stream.head_modulation = embedded.head;
  stream.frames.tokens = h * w;
  see("time embedding", stream.modulation);
  see("time embedding", stream.head_modulation);
  stream.rope = parts.rope(f, h, w, input.device());
  if (behind != nullptr) {
    check_behind(parts, behind->past, B, h * w);
    behind->rope = parts.rope(behind->past.frames + f, h, w, input.device());
    stream.rope = rope_from(behind->rope, behind->past.frames);
    stream.behind = behind;
  }
  stream.probe = probe;
  check_text(config, text);
  stream.extended = wan::Extended::begin(parts, condition, times, B, {f, h, w});
  if (const auto& views = stream.extended.views(); !views.first.empty())
    stream.view_rope = parts.rope(views.frames, h, w, input.device());

  auto x = patchify(input, config.patch);  // [B, L, C pf ph pw]
  if (parts.split != nullptr) x = own_share(*parts.split, x, stream);
  x = at::linear(x, parts.patch_embedding.weight.flatten(1),
                 parts.patch_embedding.bias);  // [B, L, D]
  see("patch embedding", x);
  const auto L = x.size(1);
  const auto& extended = stream.extended;
  if (extended.residual().defined()) x = x + extended.residual().to(x.device(), x.scalar_type());
  if (!extended.groups().empty()) x = join_groups(parts, extended.groups(), x, stream);
  if (probe == nullptr) parts.tokens += B * (f * h * w + x.size(1) - L);
  if (!parts.extensions.empty()) see("extensions, before the blocks", x);
  if (probe == nullptr && wan::can_run_lean(x)) {
    stream.context = context_of(parts, condition);
    x = wan::run_blocks_lean(parts, x, stream);
  } else {
    stream.text = embed_text(parts, padded(text, config.text_len));
    see("text embedding", stream.text);
    if (config.image_dim > 0) {
      stream.image = embed_image(parts, condition[part::kClip]);
      see("image embedding", stream.image);
    }
    x = probe == nullptr && wan::can_fuse(x) ? wan::run_blocks_fused(parts, x, stream)
                                             : wan::run_blocks_plain(parts, x, stream);
  }
  if (!extended.groups().empty()) x = x.narrow(1, 0, L);  // nothing is predicted for the others
  x = wan::linear(x, parts.head);
  if (parts.split != nullptr) x = parts.split->gather(x, f * h * w);
  see("head", x);
  return unpatchify(x, config.patch, f, h, w, config.out_dim).to(noisy.scalar_type());
}

}  // namespace svi
