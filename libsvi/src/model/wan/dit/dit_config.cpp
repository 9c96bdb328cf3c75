#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "svi/core/check.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {

void WanDitConfig::describe(OptionVisitor& visit) {
  visit(patch, {.key = "patch", .help = "latent frames, rows and columns per token", .min = 1});
  visit(
      in_dim,
      {.key = "in_dim",
       .help = "input channels: noisy latent, plus mask and condition latent if the model has them",
       .min = 1});
  visit(out_dim, {.key = "out_dim", .help = "channels of the predicted velocity", .min = 1});
  visit(dim, {.key = "dim", .help = "token width", .min = 2});
  visit(ffn_dim, {.key = "ffn_dim", .help = "width of the feed-forward layer", .min = 1});
  visit(freq_dim, {.key = "freq_dim", .help = "width of the time sinusoid", .min = 2});
  visit(text_dim, {.key = "text_dim", .help = "width of the text context", .min = 1});
  visit(text_len, {.key = "text_len",
                   .help = "length to which the text context is padded with zeros; 0: no padding",
                   .min = 0});
  visit(heads, {.key = "heads", .help = "attention heads", .min = 1});
  visit(layers, {.key = "layers", .help = "transformer blocks", .min = 1});
  visit(image_dim,
        {.key = "image_dim", .help = "width of CLIP image tokens; 0: no image branch", .min = 0});
  visit(eps, {.key = "eps", .help = "epsilon of the norms", .min = 0});
}

std::string WanDitConfig::problem() const {
  if (patch.size() != 3) return cat("patch needs 3 numbers, got ", patch.size());
  for (const auto size : patch) {
    if (size < 1) return cat("patch sizes must be at least 1, got ", size);
  }
  for (const auto size : {in_dim, out_dim, dim, ffn_dim, text_dim, heads, layers}) {
    if (size < 1) return cat("every size must be at least 1, got ", size);
  }
  if (dim % heads != 0) return cat("dim ", dim, " is not a multiple of heads ", heads);
  const auto head_dim = dim / heads;
  if (head_dim % 2 != 0 || head_dim < 6) {
    return cat("dim / heads must be even and at least 6 for rotary positions, got ", head_dim);
  }
  if (freq_dim < 2 || freq_dim % 2 != 0) return cat("freq_dim must be even, got ", freq_dim);
  if (text_len < 0 || image_dim < 0) return "text_len and image_dim cannot be negative";
  return {};
}

WanDitConfig WanDit::infer(const NamedTensors& weights, std::int64_t heads) {
  std::unordered_map<std::string, at::IntArrayRef> shapes;
  std::int64_t layers = 0;
  for (const auto& [name, tensor] : weights) {
    shapes.emplace(name, tensor.sizes());
    constexpr std::string_view kPrefix = "blocks.";
    if (name.starts_with(kPrefix)) {
      std::int64_t index = -1;
      std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), index);
      // A block has tensors of its own; a number beyond their count is damage, and must not be
      // believed.
      if (index >= static_cast<std::int64_t>(weights.size())) {
        raise<IoError>("these weights are not a transformer: ", name, " among ", weights.size(),
                       " tensors");
      }
      layers = std::max(layers, index + 1);
    }
  }
  const auto shape = [&](const std::string& name, std::size_t axes) {
    const auto found = shapes.find(name);
    if (found == shapes.end() || found->second.size() != axes) {
      raise<IoError>("not a Wan transformer with official names: no tensor ", name, " with ", axes,
                     " axes among ", weights.size(), " tensors");
    }
    return found->second;
  };
  WanDitConfig config;
  const auto patch = shape("patch_embedding.weight", 5);
  config.patch = {patch[2], patch[3], patch[4]};
  config.dim = patch[0];
  config.in_dim = patch[1];
  const auto patch_size = patch[2] * patch[3] * patch[4];
  config.out_dim = patch_size > 0 ? shape("head.head.weight", 2)[0] / patch_size : 0;
  config.ffn_dim = shape("blocks.0.ffn.0.weight", 2)[0];
  config.freq_dim = shape("time_embedding.0.weight", 2)[1];
  config.text_dim = shape("text_embedding.0.weight", 2)[1];
  config.text_len = 0;
  config.layers = layers;
  config.image_dim =
      shapes.contains("img_emb.proj.0.weight") ? shape("img_emb.proj.0.weight", 1)[0] : 0;
  constexpr std::int64_t kOfficialHeadDim = 128;
  if (heads == 0 && config.dim % kOfficialHeadDim != 0) {
    raise<IoError>("the weights do not tell the number of heads: dim ", config.dim,
                   " is not a multiple of ", kOfficialHeadDim, "; give heads");
  }
  config.heads = heads == 0 ? config.dim / kOfficialHeadDim : heads;
  if (const auto problem = config.problem(); !problem.empty()) {
    raise<IoError>("the shapes of these weights do not form a transformer: ", problem);
  }
  return config;
}

}  // namespace svi
