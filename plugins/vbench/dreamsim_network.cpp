#include "dreamsim_network.hpp"

#include <ATen/ATen.h>

#include <svi/core/check.hpp>

#include "vision/preprocess.hpp"
#include "vision/transformers/dreamsim.hpp"

namespace svi::vbench {
namespace {

using vision::DreamSim;
using vision::DreamSimFiles;
using vision::Filter;

constexpr const char* kDreamSimSource =
    "https://github.com/ssundaram21/dreamsim/releases/download/"
    "v0.2.0-checkpoints/"
    "dreamsim_ensemble_checkpoint.zip (MIT), unpacked";

MetricFile dreamsim_part(const std::string& name, const std::string& what, const std::string& file,
                         const std::string& given, const std::string& option) {
  return {.name = name,
          .what = what,
          .file = file,
          .source = kDreamSimSource,
          .given = given,
          .option = option};
}

}  // namespace

void DreamSimOptions::describe(OptionVisitor& visit) {
  visit(dino, {.key = "dino",
               .help = "DINO's weights, without DreamSim's changes; empty: the "
                       "official file in "
                       "the folder of [evaluation] weights, as are the next four"});
  visit(clip, {.key = "clip", .help = "clip_vitb16_pretrain.pth.tar of DreamSim's release"});
  visit(open_clip,
        {.key = "open_clip", .help = "open_clip_vitb16_pretrain.pth.tar of that release"});
  visit(lora, {.key = "lora", .help = "the adapter in ensemble_lora, .safetensors or .bin"});
  visit(lora_config, {.key = "lora_config", .help = "adapter_config.json beside it"});
}

std::vector<MetricFile> DreamSimOptions::needs() const {
  return {dino_file(dino, "dino"),
          dreamsim_part("dreamsim_clip", "CLIP ViT-B/16 in DreamSim's form",
                        "clip_vitb16_pretrain.pth.tar", clip, "clip"),
          dreamsim_part("dreamsim_open_clip", "OpenCLIP ViT-B/16 (laion400m) in DreamSim's form",
                        "open_clip_vitb16_pretrain.pth.tar", open_clip, "open_clip"),
          dreamsim_part("dreamsim_lora", "DreamSim's adapter",
                        "ensemble_lora/adapter_model.safetensors", lora, "lora"),
          dreamsim_part("dreamsim_lora_config", "the adapter's settings",
                        "ensemble_lora/adapter_config.json", lora_config, "lora_config")};
}

std::shared_ptr<FrameNetwork> dreamsim_frames(const MetricContext& context, bool antialias) {
  std::string hashes;
  for (const auto* name :
       {"dino", "dreamsim_clip", "dreamsim_open_clip", "dreamsim_lora", "dreamsim_lora_config"})
    hashes += context.file(name).sha256;
  const auto network = context.features.get<DreamSim>("dreamsim ensemble", hashes, [&] {
    const DreamSimFiles files = {context.file("dino").path, context.file("dreamsim_clip").path,
                                 context.file("dreamsim_open_clip").path,
                                 context.file("dreamsim_lora").path,
                                 context.file("dreamsim_lora_config").path};
    return std::make_shared<DreamSim>(files, context.device);
  });
  return context.features.get<FrameNetwork>(
      cat("dreamsim ensemble, bicubic, antialias ", antialias), hashes, [&] {
        return std::make_shared<FrameNetwork>(
            [antialias, side = network->side()](const at::Tensor& levels) {
              return vision::resized(levels, side, side, {Filter::bicubic, antialias}) / 255;
            },
            [network](const at::Tensor& frames) { return (*network)(frames); }, context.device);
      });
}

at::Tensor prepared_dreamsim_of_image(const at::Tensor& picture) {
  return vision::resized_pillow(picture, kMiddleSide, kMiddleSide, Filter::bicubic) / 255.0;
}

}  // namespace svi::vbench
