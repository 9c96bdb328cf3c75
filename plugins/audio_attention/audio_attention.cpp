#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <svi/core/check.hpp>
#include <svi/model/extension.hpp>
#include <svi/plugin/plugin.hpp>
#include <svi/tensor/dims.hpp>
#include <vector>

#include "sounding_light.hpp"

namespace {

/// In fp64 as it is, else in fp32: norms of half-precision tokens.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& offset) {
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::layer_norm(x.to(wide), {x.size(-1)}, gain.to(wide), offset.to(wide))
      .to(x.scalar_type());
}

/// Cross-attention from the latent's tokens to the sound of their own frame, in the plainest form.
///
/// Features of the pixel frames that a latent frame stands for become `tokens` audio tokens; behind
/// the text cross-attention of each chosen block, the tokens of latent frame f attend to the audio
/// tokens of frame f and of no other. The last layer starts at zero.
class AudioAttention final : public svi::ModelExtension {
 public:
  struct Config : svi::ExtensionOptions {
    std::int64_t audio_dim = 768;
    std::int64_t windows = 1;
    std::int64_t stride = 4;
    std::int64_t tokens = 4;
    std::int64_t width = 256;
    std::vector<std::int64_t> blocks = {};

    void describe(svi::OptionVisitor& visit) {
      visit(audio_dim, {.key = "audio_dim", .help = "features per pixel frame, D", .min = 1});
      visit(windows, {.key = "windows",
                      .help = "feature vectors per pixel frame: the track is [T, D] with one, [T, "
                              "windows, D] with more",
                      .min = 1,
                      .max = 1024});
      visit(stride, {.key = "stride",
                     .help = "pixel frames that a latent frame after the first stands for: the "
                             "temporal stride of the codec",
                     .unit = "frames",
                     .min = 1,
                     .max = 64});
      visit(tokens, {.key = "tokens",
                     .help = "audio tokens of each latent frame",
                     .unit = "tokens",
                     .min = 1,
                     .max = 1024});
      visit(width, {.key = "width", .help = "width of an audio token", .min = 1});
      visit(blocks,
            {.key = "blocks", .help = "blocks that listen, counted from 0; empty: all", .min = 0});
      ExtensionOptions::describe(visit);
    }
  };

  explicit AudioAttention(Config config) : ModelExtension(config), config_(std::move(config)) {}

 private:
  static std::string block(std::int64_t i) { return "audio.blocks." + std::to_string(i); }
  bool listens(std::int64_t i) const {
    const auto& chosen = config_.blocks;
    return chosen.empty() || std::find(chosen.begin(), chosen.end(), i) != chosen.end();
  }

  std::vector<svi::PartRule> do_reads() const override {
    if (config_.windows == 1)
      return {{std::string(svi::part::kAudio), {svi::kAnySize, config_.audio_dim}}};
    return {{std::string(svi::part::kAudio), {svi::kAnySize, config_.windows, config_.audio_dim}}};
  }

  std::vector<svi::ParameterSpec> do_parameters(const svi::ExtensionHost& host) const override {
    using svi::ParameterStart;
    if (host.patch[0] != 1) {
      svi::raise<svi::ConfigError>(title(), ": the model's patches span ", host.patch[0],
                                   " latent frames; audio attention needs patches of one");
    }
    for (const auto i : config_.blocks) {
      if (i >= host.layers) {
        svi::raise<svi::ConfigError>(title(), " blocks holds ", i,
                                     ", but the model has blocks 0 to ", host.layers - 1);
      }
    }
    std::vector<svi::ParameterSpec> specs;
    const auto layer = [&](const std::string& name, std::int64_t out, std::int64_t in,
                           ParameterStart start = ParameterStart::xavier) {
      specs.push_back({name + ".weight", {out, in}, start});
      specs.push_back({name + ".bias", {out}});
    };
    const auto norm = [&](const std::string& name, std::int64_t size) {
      specs.push_back({name + ".weight", {size}, ParameterStart::ones});
      specs.push_back({name + ".bias", {size}});
    };
    layer("audio.proj.0", config_.width, config_.stride * config_.windows * config_.audio_dim);
    layer("audio.proj.1", config_.tokens * config_.width, config_.width);
    norm("audio.norm", config_.width);
    for (std::int64_t i = 0; i < host.layers; ++i) {
      if (!listens(i)) continue;
      norm(block(i) + ".norm", host.dim);
      layer(block(i) + ".q", host.dim, host.dim);
      layer(block(i) + ".k", host.dim, config_.width);
      layer(block(i) + ".v", host.dim, config_.width);
      layer(block(i) + ".o", host.dim, host.dim, ParameterStart::zeros);
    }
    return specs;
  }

  svi::ExtensionInputs do_begin(const svi::ExtensionPass& pass) const override {
    const auto& gain = parameter("audio.norm.weight");
    const auto audio =
        pass.condition[svi::part::kAudio].to(gain.device(), gain.scalar_type()).flatten(2);
    const auto T = audio.size(1), F = pass.grid.frames, s = config_.stride;
    if (T != s * (F - 1) + 1) {
      svi::raise<svi::ConfigError>("condition.audio has ", T, " frames; with ", title(),
                                   " stride = ", s, " a clip of ", F, " latent frames has ",
                                   s * (F - 1) + 1, ": set stride to that of the codec");
    }
    // The first latent frame stands for one pixel frame, which fills its whole window.
    const auto first = audio.narrow(1, 0, 1).expand({-1, s - 1, -1});
    const auto windows = at::cat({first, audio}, 1).view({pass.batch, F, s * audio.size(2)});
    const auto tokens = linear(at::gelu(linear(windows, "audio.proj.0")), "audio.proj.1")
                            .view({pass.batch, F, config_.tokens, config_.width});
    return {.kept = {layer_norm(tokens, gain, parameter("audio.norm.bias"))}};
  }

  bool do_acts_after_cross_attention(std::int64_t i) const override { return listens(i); }

  at::Tensor do_after_cross_attention(const svi::ExtensionBlock& at_block) const override {
    const auto& x = at_block.tokens;
    const auto name = block(at_block.index);
    const auto B = x.size(0), F = at_block.grid.frames, n = at_block.grid.of_frame();
    const auto heads = [&](const at::Tensor& tokens,
                           std::int64_t count) {  // [B F, heads, count, d]
      return tokens.reshape({B * F, count, host().heads, -1}).transpose(1, 2);
    };
    const auto audio = at_block.kept[0].to(x.scalar_type());  // [B, F, tokens, width]
    const auto normed =
        layer_norm(x, parameter(name + ".norm.weight"), parameter(name + ".norm.bias"));
    const auto q = heads(linear(normed, name + ".q"), n);
    const auto k = heads(linear(audio, name + ".k"), config_.tokens);
    const auto v = heads(linear(audio, name + ".v"), config_.tokens);
    const auto heard = at::scaled_dot_product_attention(q, k, v);
    return linear(heard.transpose(1, 2).reshape(x.sizes()), name + ".o");
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("audio_attention", "0.1.0", registrar) {
  registrar.add<svi::ModelExtension, AudioAttention>(
      "audio_attention", "each latent frame attends to the sound of its own pixel frames");
  add_sounding_light(registrar);
}
