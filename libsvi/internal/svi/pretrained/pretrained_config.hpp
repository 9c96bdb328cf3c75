#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/pretrained/compute_type.hpp"

namespace svi {

/// `[model]`: the weights that films are made with, in programs and experiments alike.
struct PretrainedConfig {
  std::string folder = kDefaultFolder;
  std::string dit = {};
  std::string vae = {};
  std::string text_encoder = {};
  std::string tokenizer = {};
  std::string image_encoder = {};
  std::vector<std::string> lora = {};
  ComputeType dtype = ComputeType::automatic;
  std::int64_t resident_blocks = -1;
  bool int8 = false;
  bool release_pages = false;
  std::int64_t heads = 0;
  std::string copy = {};

  void describe(OptionVisitor& visit) {
    visit(folder, {.key = "folder",
                   .help = "folder of the weights (official, diffusers, or trained here); the "
                           "default comes with svi"});
    visit(dit,
          {.key = "dit",
           .help = "transformer, if it is another than the folder's: a file there, or a path"});
    visit(vae, {.key = "vae", .help = "video codec, likewise"});
    visit(text_encoder, {.key = "text_encoder", .help = "umT5, if it is not in the folder"});
    visit(tokenizer, {.key = "tokenizer", .help = "spiece.model, if it is not in the folder"});
    visit(image_encoder, {.key = "image_encoder", .help = "CLIP, if it is not in the folder"});
    visit(lora,
          {.key = "lora",
           .help = "adapters to merge, each FILE or FILE=STRENGTH, one after the other; a path, or "
                   "a file in the folder"});
    visit(dtype, {.key = "dtype",
                  .help = "precision of the transformer in films, and of svi-generate's text "
                          "encoder; the codec stays fp32"});
    visit(resident_blocks,
          {.key = "resident_blocks",
           .help = "blocks of the transformer that stay on the device, -1: all; the others come "
                   "from their file when needed, with the same numbers",
           .min = -1,
           .max = 1000});
    visit(int8, {.key = "int8",
                 .help = "keep block weights in 8 bits, after a comparison with the full weights"});
    visit(release_pages, {.key = "release_pages",
                          .help = "return mapped pages of blocks that do not stay to the system "
                                  "after use; for models larger than memory"});
    visit(heads, {.key = "heads",
                  .help = "attention heads; 0: dim / 128 as in every official model, and 4 in a "
                          "folder trained here",
                  .min = 0,
                  .max = 1024});
    visit(copy, {.key = "copy",
                 .help = "the weights to read if one file holds several copies, such as "
                         "generator_ema beside generator; `top`: the copy without a name"});
  }
};

}  // namespace svi
