#include "talk_audio.hpp"

#include <ATen/ATen.h>

#include <map>

#include "speech/windows.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"

namespace {

constexpr double kTokenEps = 1e-6, kAudioEps = 1e-5;  // of norms: of the model, of the projector

/// In fp64 as it is, else in fp32: norms of half-precision tokens.
at::Tensor wide_norm(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& offset,
                     double eps) {
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::layer_norm(x.to(wide), {x.size(-1)}, gain.to(wide), offset.to(wide), eps)
      .to(x.scalar_type());
}

std::string block_name(std::int64_t i) { return "blocks." + std::to_string(i); }

}  // namespace

void TalkAudio::Config::describe(svi::OptionVisitor& visit) {
  visit(encoder, {.key = "encoder",
                  .help = "folder or file of the speech encoder (wav2vec 2.0 base, such as "
                          "chinese-wav2vec2-base) that hears the film's sound; empty: levels of "
                          "bands, which layers = 1 and audio_dim of at most 32 can be trained on"});
  visit(window, {.key = "window",
                 .help = "rows of features that a pixel frame hears, an odd number",
                 .unit = "frames",
                 .min = 1,
                 .max = 101});
  visit(layers, {.key = "layers", .help = "states of the encoder in a row", .min = 1, .max = 100});
  visit(audio_dim, {.key = "audio_dim", .help = "values of a state", .min = 1, .max = 1e5});
  visit(stride, {.key = "stride",
                 .help = "pixel frames that a latent frame after the first stands for: the "
                         "temporal stride of the codec",
                 .unit = "frames",
                 .min = 1,
                 .max = 64});
  visit(hidden, {.key = "hidden", .help = "width inside the projector", .min = 1, .max = 1e5});
  visit(tokens, {.key = "tokens",
                 .help = "audio tokens of each latent frame",
                 .unit = "tokens",
                 .min = 1,
                 .max = 1024});
  visit(width, {.key = "width", .help = "width of an audio token", .min = 1, .max = 1e5});
  visit(speakers, {.key = "speakers", .help = "persons who speak: one", .min = 1, .max = 100});
  visit(lufs, {.key = "lufs",
               .help = "loudness to which a sound is brought before it is heard",
               .unit = "LUFS",
               .min = -70,
               .max = 0});
  visit(piece, {.key = "piece",
                .help = "a longer sound is encoded in pieces of this length, each with 4 s of its "
                        "neighbours; 0: as a whole, which takes about 20 MB per second",
                .unit = "s",
                .min = 0,
                .max = 1e5});
  visit(longest, {.key = "longest",
                  .help = "a longer sound is refused: features of wav2vec2-base take 0.9 MB per "
                          "second at 25 frames per second",
                  .unit = "s",
                  .min = 0.1,
                  .max = 86400});
  visit(silence, {.key = "silence",
                  .help = "refuse: a silent sound, and one that ends before the film's last clip "
                          "begins, are errors; allow: the film goes on in silence"});
  ExtensionOptions::describe(visit);
}

std::string TalkAudio::Config::problem() const {
  if (speakers != 1) {
    return svi::cat("speakers = ", speakers,
                    ": one speaker is animated; make a film of each speaker with a sound of its "
                    "own, or mix the voices into one file");
  }
  if (window % 2 == 0) return svi::cat("window = ", window, " must be odd");
  return {};
}

TalkAudio::TalkAudio(Config config) : ModelExtension(config), config_(std::move(config)) {
  if (!config_.file.empty()) take_sizes_of_file();
}

/// A file tells its own sizes, so that they need not be given with it.
void TalkAudio::take_sizes_of_file() {
  const auto file = svi::SafetensorsFile::open(config_.file);
  std::map<std::string, std::vector<std::int64_t>> sizes;
  for (const auto& [name, tensor] : file.load_all()) sizes[name] = tensor.sizes().vec();
  const auto of = [&](const std::string& name, std::size_t axes) {
    const auto found = sizes.find("audio_proj." + name);
    if (found == sizes.end() || found->second.size() != axes) {
      svi::raise<svi::IoError>(config_.file, ": has no matrix audio_proj.", name,
                               ": not the audio layers of MultiTalk; ", do_where_from());
    }
    return found->second;
  };
  const auto first = of("proj1.weight", 2), rest = of("proj1_vf.weight", 2);
  const auto last = of("proj3.weight", 2);
  config_.hidden = first[0];
  config_.width = of("norm.weight", 1)[0];
  const auto row = first[1] / config_.window;
  if (row < 1 || config_.hidden < 1 || config_.width < 1 || rest[1] / row < config_.window ||
      last[0] < config_.width) {
    svi::raise<svi::IoError>(config_.file, ": no audio layers for windows of ", config_.window,
                             " rows: audio_proj has ", first[0], " x ", first[1], ", ", rest[0],
                             " x ", rest[1], " and ", last[0], " x ", last[1], "; set window");
  }
  config_.tokens = last[0] / config_.width;
  config_.stride = rest[1] / row - config_.window + 1;
  if (row == config_.layers * config_.audio_dim) return;
  config_.layers = 1;
  config_.audio_dim = row;
}

std::string TalkAudio::do_where_from() const {
  return "the official ones are multitalk.safetensors of MeiGen-AI/MeiGen-MultiTalk; for a model "
         "of "
         "another size train them: svi-experiment plugins/svi_talk/talk_smoke.ini";
}

std::vector<svi::PartRule> TalkAudio::do_reads() const {
  return {{std::string(svi::part::kAudio),
           {svi::kAnySize, config_.window, config_.layers, config_.audio_dim}}};
}

std::vector<svi::ParameterSpec> TalkAudio::do_parameters(const svi::ExtensionHost& host) const {
  using svi::ParameterStart;
  if (host.patch[0] != 1) {
    svi::raise<svi::ConfigError>(title(), ": the model's patches span ", host.patch[0],
                                 " latent frames; audio attention needs patches of one");
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
  const auto& c = config_;
  const auto row = c.layers * c.audio_dim;
  layer("audio_proj.proj1", c.hidden, c.window * row);
  layer("audio_proj.proj1_vf", c.hidden, (c.stride + c.window - 1) * row);
  layer("audio_proj.proj2", c.hidden, c.hidden);
  layer("audio_proj.proj3", c.tokens * c.width, c.hidden);
  norm("audio_proj.norm", c.width);
  for (std::int64_t i = 0; i < host.layers; ++i) {
    const auto attention = block_name(i) + ".audio_cross_attn.";
    layer(attention + "q_linear", host.dim, host.dim);
    layer(attention + "kv_linear", 2 * host.dim, c.width);
    layer(attention + "proj", host.dim, host.dim, ParameterStart::zeros);
    norm(block_name(i) + ".norm_x", host.dim);
  }
  return specs;
}

svi::ExtensionInputs TalkAudio::do_begin(const svi::ExtensionPass& pass) const {
  const auto& gain = parameter("audio_proj.norm.weight");
  const auto audio = pass.condition[svi::part::kAudio];  // [B, T, window, layers, dim]
  const auto T = audio.size(1), F = pass.grid.frames, s = config_.stride;
  if (T != s * (F - 1) + 1) {
    svi::raise<svi::ConfigError>("condition.audio has ", T, " frames; with ", title(),
                                 " stride = ", s, " a clip of ", F, " latent frames has ",
                                 s * (F - 1) + 1, ": set stride to that of the codec");
  }
  const auto windows = svi::speech::latent_windows(audio, s);
  const auto project = [&](const at::Tensor& heard, const std::string& name) {  // [B, f, hidden]
    return at::relu(linear(heard.to(gain.device(), gain.scalar_type()).flatten(2), name));
  };
  auto x = project(windows.first, "audio_proj.proj1");
  if (F > 1) x = at::cat({x, project(windows.rest, "audio_proj.proj1_vf")}, 1);
  x = linear(at::relu(linear(x, "audio_proj.proj2")), "audio_proj.proj3");
  x = x.view({pass.batch, F, config_.tokens, config_.width});
  return {.kept = {wide_norm(x, gain, parameter("audio_proj.norm.bias"), kAudioEps)}};
}

at::Tensor TalkAudio::do_after_cross_attention(const svi::ExtensionBlock& at_block) const {
  const auto& x = at_block.tokens;  // [B, L, D], L = F x n
  const auto name = block_name(at_block.index);
  const auto frames = x.size(0) * at_block.grid.frames, n = at_block.grid.of_frame();
  const auto D = x.size(2), heads = host().heads;
  const auto split = [&](const at::Tensor& rows, std::int64_t count) {  // [B F, heads, count, d]
    return rows.reshape({frames, count, heads, -1}).transpose(1, 2);
  };
  const auto normed =
      wide_norm(x, parameter(name + ".norm_x.weight"), parameter(name + ".norm_x.bias"), kTokenEps);
  const auto q = split(linear(normed, name + ".audio_cross_attn.q_linear"), n);
  const auto kv =
      linear(at_block.kept[0].to(x.scalar_type()), name + ".audio_cross_attn.kv_linear");
  const auto k = split(kv.narrow(-1, 0, D), config_.tokens);
  const auto v = split(kv.narrow(-1, D, D), config_.tokens);
  const auto heard = at::scaled_dot_product_attention(q, k, v);
  return linear(heard.transpose(1, 2).reshape(x.sizes()), name + ".audio_cross_attn.proj");
}
