#pragma once

#include <filesystem>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// Who laid out a folder of weights.
enum class ModelLayout {
  trained,    // dit.safetensors, vae.safetensors: weights trained here; the default folder
  official,   // diffusion_pytorch_model*.safetensors, Wan2.1_VAE.pth, models_t5_*.pth, ...
  diffusers,  // transformer/, vae/, text_encoder/, tokenizer/, image_encoder/
};

/// The files of a model by what they are for; empty where there is none.
struct ModelFiles {
  ModelLayout layout = ModelLayout::trained;  // who laid it out
  std::filesystem::path folder;               // as given
  std::filesystem::path dit;            // transformer: a file, an index, or a folder of shards
  std::filesystem::path vae;            // video codec
  std::filesystem::path text_encoder;   // umT5; trained here: none, FolderConfig names one
  std::filesystem::path tokenizer;      // SentencePiece model, spiece.model
  std::filesystem::path image_encoder;  // CLIP; only models with an image branch need it
};

/// What is where in `folder`, a path or the default one's name. Parts that are given already (by
/// `known`) are not looked for. Opens nothing. Throws IoError listing each part that is missing,
/// what it is for and the names that were looked for.
SVI_EXPORT ModelFiles find_model(const std::string& folder, const ModelFiles& known = {});

}  // namespace svi
