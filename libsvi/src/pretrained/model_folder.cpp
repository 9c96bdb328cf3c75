#include "svi/pretrained/model_folder.hpp"

#include <algorithm>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/io/weight_files.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;

/// The first entry of a folder, by name, that begins and ends so.
fs::path first_like(const fs::path& folder, const std::string& begin, const std::string& end) {
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) return {};
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(begin) && name.ends_with(end)) found.push_back(entry.path());
  }
  return found.empty() ? fs::path() : *std::min_element(found.begin(), found.end());
}

bool holds_weights(const fs::path& folder) {
  if (!fs::is_directory(folder)) return false;
  const fs::directory_iterator entries(folder);
  return std::any_of(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    return entry.is_regular_file() && is_weight_file(entry.path());
  });
}

/// One part of a model: where it goes, what it is for, and where it may lie.
struct Part {
  fs::path ModelFiles::*file;
  const char* purpose;
  const char* names;  // for people
  fs::path found;
};

std::vector<Part> official_parts(const fs::path& folder) {
  auto dit = first_like(folder, "diffusion_pytorch_model", ".index.json");
  if (dit.empty()) dit = first_like(folder, "diffusion_pytorch_model", ".safetensors");
  auto tokenizer = folder / "google" / "umt5-xxl" / "spiece.model";
  if (!fs::exists(tokenizer)) tokenizer.clear();
  return {
      {&ModelFiles::dit, "the transformer", "diffusion_pytorch_model*.safetensors", dit},
      {&ModelFiles::vae, "the video codec", "Wan2.1_VAE.pth", first_like(folder, "Wan2.1_VAE", "")},
      {&ModelFiles::text_encoder, "the text encoder", "models_t5_umt5-xxl-enc-bf16.pth",
       first_like(folder, "models_t5_", "")},
      {&ModelFiles::tokenizer, "the tokenizer", "google/umt5-xxl/spiece.model", tokenizer},
      {&ModelFiles::image_encoder, "", "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth",
       first_like(folder, "models_clip_", "")}};
}

std::vector<Part> diffusers_parts(const fs::path& folder) {
  const auto held = [&](const char* name) {
    return holds_weights(folder / name) ? folder / name : fs::path();
  };
  return {{&ModelFiles::dit, "the transformer", "transformer/", held("transformer")},
          {&ModelFiles::vae, "the video codec", "vae/", held("vae")},
          {&ModelFiles::text_encoder, "the text encoder", "text_encoder/", held("text_encoder")},
          {&ModelFiles::tokenizer, "the tokenizer", "tokenizer/spiece.model",
           first_like(folder / "tokenizer", "spiece.model", "")},
          {&ModelFiles::image_encoder, "", "image_encoder/", held("image_encoder")}};
}

std::vector<Part> trained_parts(const fs::path& folder) {
  return {{&ModelFiles::dit, "the transformer", "dit.safetensors",
           first_like(folder, "dit.safetensors", "")},
          {&ModelFiles::vae, "the video codec", "vae.safetensors",
           first_like(folder, "vae.safetensors", "")}};
}

}  // namespace

ModelFiles find_model(const std::string& folder, const ModelFiles& known) {
  auto files = known;
  files.folder = weights_folder(folder);
  if (!fs::is_directory(files.folder)) {
    raise<IoError>(files.folder.string(), ": is not a folder; give the folder of the weights, or `",
                   kDefaultFolder, "` for those that come with svi");
  }
  std::vector<Part> parts;
  if (fs::exists(files.folder / "dit.safetensors") || folder == kDefaultFolder) {
    files.layout = ModelLayout::trained;
    parts = trained_parts(files.folder);
  } else if (fs::is_directory(files.folder / "transformer")) {
    files.layout = ModelLayout::diffusers;
    parts = diffusers_parts(files.folder);
  } else {
    files.layout = ModelLayout::official;
    parts = official_parts(files.folder);
  }
  std::string missing;
  for (const auto& part : parts) {
    auto& file = files.*part.file;
    if (file.empty()) file = part.found;
    if (!file.empty() && !fs::exists(file))
      missing += cat("\n  ", file.string(), " does not exist");
    if (file.empty() && *part.purpose != '\0')
      missing += cat("\n  ", part.purpose, ": ", part.names);
  }
  if (!missing.empty())
    raise<IoError>(files.folder.string(), ": parts of a model are missing:", missing);
  return files;
}

}  // namespace svi
