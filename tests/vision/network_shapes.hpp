#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/hashed_weights.hpp"
#include "svi/core/check.hpp"

namespace svi::testing {

/// Names and sizes of a file of weights, for hashed_weights().
using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

/// Names and sizes of an official file, as the official library has them.
inline Shapes shape_manifest(const std::string& name) {
  std::ifstream file(SVI_SOURCE_DIR "/tests/data/vision/" + name + ".tsv");
  Shapes shapes;
  for (std::string line; std::getline(file, line);) {
    const auto tab = line.find('\t');
    std::vector<std::int64_t> sizes;
    std::istringstream numbers(line.substr(tab + 1));
    for (std::string number; std::getline(numbers, number, ',');)
      sizes.push_back(std::stoll(number));
    shapes.emplace_back(line.substr(0, tab), sizes);
  }
  return shapes;
}

inline Shapes linear_shapes(const std::string& name, std::int64_t in, std::int64_t out) {
  return {{name + ".weight", {out, in}}, {name + ".bias", {out}}};
}

inline Shapes norm_shapes(const std::string& name, std::int64_t width) {
  return {{name + ".weight", {width}}, {name + ".bias", {width}}};
}

inline void append_shapes(Shapes& shapes, const Shapes& more) {
  shapes.insert(shapes.end(), more.begin(), more.end());
}

inline Shapes dino_shapes(std::int64_t width, std::int64_t depth, std::int64_t patch,
                          std::int64_t grid, bool scaled = false) {
  Shapes shapes = {{"cls_token", {1, 1, width}},
                   {"pos_embed", {1, 1 + grid * grid, width}},
                   {"patch_embed.proj.weight", {width, 3, patch, patch}},
                   {"patch_embed.proj.bias", {width}}};
  append_shapes(shapes, norm_shapes("norm", width));
  for (std::int64_t i = 0; i < depth; ++i) {
    const auto block = cat("blocks.", i, ".");
    append_shapes(shapes, norm_shapes(block + "norm1", width));
    append_shapes(shapes, norm_shapes(block + "norm2", width));
    append_shapes(shapes, linear_shapes(block + "attn.qkv", width, 3 * width));
    append_shapes(shapes, linear_shapes(block + "attn.proj", width, width));
    append_shapes(shapes, linear_shapes(block + "mlp.fc1", width, 4 * width));
    append_shapes(shapes, linear_shapes(block + "mlp.fc2", 4 * width, width));
    if (scaled)
      append_shapes(shapes, {{block + "ls1.gamma", {width}}, {block + "ls2.gamma", {width}}});
  }
  return shapes;
}

inline Shapes clip_shapes(std::int64_t width, std::int64_t depth, std::int64_t patch,
                          std::int64_t grid, std::int64_t out) {
  Shapes shapes = {{"visual.conv1.weight", {width, 3, patch, patch}},
                   {"visual.class_embedding", {width}},
                   {"visual.positional_embedding", {1 + grid * grid, width}},
                   {"visual.proj", {width, out}}};
  append_shapes(shapes, norm_shapes("visual.ln_pre", width));
  append_shapes(shapes, norm_shapes("visual.ln_post", width));
  for (std::int64_t i = 0; i < depth; ++i) {
    const auto block = cat("visual.transformer.resblocks.", i, ".");
    append_shapes(shapes, norm_shapes(block + "ln_1", width));
    append_shapes(shapes, norm_shapes(block + "ln_2", width));
    append_shapes(shapes, {{block + "attn.in_proj_weight", {3 * width, width}},
                           {block + "attn.in_proj_bias", {3 * width}}});
    append_shapes(shapes, linear_shapes(block + "attn.out_proj", width, width));
    append_shapes(shapes, linear_shapes(block + "mlp.c_fc", width, 4 * width));
    append_shapes(shapes, linear_shapes(block + "mlp.c_proj", 4 * width, width));
  }
  return shapes;
}

/// A CLIP tower under DINO's names, as DreamSim's release has it.
inline Shapes dreamsim_clip_shapes(std::int64_t width, std::int64_t depth, std::int64_t patch,
                                   std::int64_t grid, std::int64_t out) {
  auto shapes = dino_shapes(width, depth, patch, grid);
  append_shapes(shapes, norm_shapes("pos_drop", width));
  shapes.push_back({"proj", {width, out}});
  return shapes;
}

/// An adapter of DreamSim's ensemble by PEFT's names.
inline NamedTensors dreamsim_adapter(std::int64_t width, std::int64_t depth, std::int64_t rank) {
  NamedTensors adapter;
  for (std::int64_t branch = 0; branch < 3; ++branch) {
    for (std::int64_t i = 0; i < depth; ++i) {
      const auto name = cat("extractor_list.", branch, ".model.blocks.", i, ".attn.qkv.lora_");
      for (const auto& [part, rows, columns] :
           {std::tuple{"A.weight", rank, width}, {"B.weight", 3 * width, rank}}) {
        adapter.emplace_back("base_model.model." + name + part,
                             hashed_weight(name + part, {rows, columns}));
      }
    }
  }
  return adapter;
}

/// MUSIQ's by the names of IQA-PyTorch.
inline Shapes musiq_shapes(std::int64_t width, std::int64_t depth, std::int64_t hidden) {
  const std::string encoder = "transformer_encoder.";
  Shapes shapes = {{"conv_root.weight", {64, 3, 7, 7}},
                   {"block1.conv1.weight", {64, 64, 1, 1}},
                   {"block1.conv2.weight", {64, 64, 3, 3}},
                   {"block1.conv3.weight", {256, 64, 1, 1}},
                   {"block1.conv_proj.weight", {256, 64, 1, 1}},
                   {encoder + "posembed_input.position_emb", {1, 100, width}},
                   {encoder + "scaleembed_input.scale_emb", {3, width}},
                   {encoder + "cls", {1, 1, width}}};
  for (const auto* name : {"gn_root", "block1.gn1", "block1.gn2"})
    append_shapes(shapes, norm_shapes(name, 64));
  for (const auto* name : {"block1.gn3", "block1.gn_proj"})
    append_shapes(shapes, norm_shapes(name, 256));
  append_shapes(shapes, linear_shapes("embedding", 16384, width));
  append_shapes(shapes, norm_shapes(encoder + "encoder_norm", width));
  append_shapes(shapes, linear_shapes("head", width, 1));
  for (std::int64_t i = 0; i < depth; ++i) {
    const auto block = cat(encoder, "transformer.encoderblock_", i, ".");
    append_shapes(shapes, norm_shapes(block + "norm1", width));
    append_shapes(shapes, norm_shapes(block + "norm2", width));
    for (const auto* name : {"query", "key", "value", "out"})
      append_shapes(shapes, linear_shapes(block + "attention." + name, width, width));
    append_shapes(shapes, linear_shapes(block + "mlp.fc1", width, hidden));
    append_shapes(shapes, linear_shapes(block + "mlp.fc2", hidden, width));
  }
  return shapes;
}

}  // namespace svi::testing
