#include "networks.hpp"

#include <ATen/ATen.h>

#include <svi/core/check.hpp>

#include "vision/preprocess.hpp"
#include "vision/transformers/clip_tower.hpp"
#include "vision/transformers/vision_transformer.hpp"

namespace svi::vbench {
namespace {

using vision::ClipTower;
using vision::Filter;
using vision::Resampling;
using vision::VisionTransformer;
using vision::Weights;

MetricFile official(MetricFile file, const std::string& given, const std::string& option) {
  file.given = given;
  file.option = option;
  if (!given.empty()) {  // the user's own copy or conversion
    file.sha256.clear();
    file.bytes = 0;
  }
  return file;
}

/// The network of a file, loaded once however many metrics prepare frames for
/// it in their own way.
std::shared_ptr<VisionTransformer> transformer(const MetricContext& context,
                                               const std::string& name, bool official) {
  const auto& file = context.file(name);
  return context.features.get<VisionTransformer>("vision transformer", file.sha256, [&] {
    auto weights = Weights::open(file.path, context.device);
    return official ? std::make_shared<VisionTransformer>(std::move(weights), 768, 12,
                                                          name == "dino" ? 16 : 14)
                    : std::make_shared<VisionTransformer>(std::move(weights));
  });
}

FrameNetwork::Stage looks(const std::shared_ptr<VisionTransformer>& network) {
  return [network](const at::Tensor& frames) { return (*network)(frames); };
}

at::Tensor middle(const at::Tensor& levels, bool antialias) {
  const Resampling how{Filter::bicubic, antialias};
  return vision::normalised(
      vision::center_crop(vision::resized_short(levels, kMiddleShort, how), kMiddleSide) / 255,
      vision::kImageNet);
}

std::shared_ptr<FrameNetwork> transformer_middle(const MetricContext& context,
                                                 const std::string& name, bool official,
                                                 bool antialias) {
  return context.features.get<FrameNetwork>(
      cat("vision transformer, middle 224 of short side 256, antialias ", antialias),
      context.file(name).sha256, [&] {
        return std::make_shared<FrameNetwork>(
            [antialias](const at::Tensor& levels) { return middle(levels, antialias); },
            looks(transformer(context, name, official)), context.device);
      });
}

}  // namespace

FrameNetwork::FrameNetwork(Stage prepare, Stage look, at::Device device,
                           std::int64_t frames_at_once)
    : prepare_(std::move(prepare)),
      look_(std::move(look)),
      device_(device),
      frames_at_once_(frames_at_once) {}

at::Tensor FrameNetwork::compute(const at::Tensor& frames) {  // [3, T, H, W] in [0, 1]
  std::vector<at::Tensor> features;
  for (const auto& some : frames.split(frames_at_once_, 1)) {
    const auto levels = vision::levels(some.transpose(0, 1).to(device_));
    features.push_back(look_(prepare_(levels)));
  }
  return at::cat(features).cpu();  // [T, D]
}

MetricFile dino_file(const std::string& given, const std::string& option) {
  return official({.name = "dino",
                   .what = "DINO ViT-B/16, Meta's file",
                   .file = "dino_vitbase16_pretrain.pth",
                   .source = "https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/"
                             "dino_vitbase16_pretrain.pth (Apache-2.0)"},
                  given, option);
}

MetricFile dinov2_file(const std::string& given, const std::string& option) {
  return official({.name = "dinov2",
                   .what = "DINOv2 ViT-B/14 without registers, Meta's file",
                   .file = "dinov2_vitb14_pretrain.pth",
                   .source = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/"
                             "dinov2_vitb14_pretrain.pth (Apache-2.0)"},
                  given, option);
}

MetricFile clip_b32_file(const std::string& given, const std::string& option) {
  const std::string hash = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af";
  return official({.name = "clip_b32",
                   .what = "CLIP ViT-B/32, OpenAI's file",
                   .file = "ViT-B-32.pt",
                   .bytes = 353976522,
                   .sha256 = hash,
                   .source = cat("https://openaipublic.azureedge.net/clip/models/", hash,
                                 "/ViT-B-32.pt (MIT)")},
                  given, option);
}

MetricFile clip_l14_file(const std::string& given, const std::string& option) {
  const std::string hash = "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836";
  return official({.name = "clip_l14",
                   .what = "CLIP ViT-L/14, OpenAI's file",
                   .file = "ViT-L-14.pt",
                   .bytes = 932768134,
                   .sha256 = hash,
                   .source = cat("https://openaipublic.azureedge.net/clip/models/", hash,
                                 "/ViT-L-14.pt (MIT)")},
                  given, option);
}

MetricFile aesthetic_head_file(const std::string& given, const std::string& option) {
  return official({.name = "aesthetic_head",
                   .what = "LAION's linear aesthetic predictor on CLIP ViT-L/14",
                   .file = "sa_0_4_vit_l_14_linear.pth",
                   .bytes = 4071,
                   .sha256 = "2cd4e60f",
                   .source = "https://github.com/LAION-AI/aesthetic-predictor (MIT)"},
                  given, option);
}

MetricFile musiq_file(const std::string& given, const std::string& option) {
  return official({.name = "musiq",
                   .what = "MUSIQ trained on SPAQ, in the file of IQA-PyTorch",
                   .file = "musiq_spaq_ckpt-358bb6af.pth",
                   .sha256 = "358bb6af",
                   .source = "https://github.com/chaofengc/IQA-PyTorch/releases/download/"
                             "v0.1-weights/musiq_spaq_ckpt-358bb6af.pth (converted from Google's "
                             "Apache-2.0 weights; that repository is PolyForm-Noncommercial)"},
                  given, option);
}

std::shared_ptr<FrameNetwork> dino_whole(const MetricContext& context, bool official) {
  return context.features.get<FrameNetwork>(
      "vision transformer, short side 224, bilinear", context.file("dino").sha256, [&] {
        return std::make_shared<FrameNetwork>(
            [](const at::Tensor& levels) {
              return vision::normalised(vision::resized_short(levels, 224, {}) / 255,
                                        vision::kImageNet);
            },
            looks(transformer(context, "dino", official)), context.device);
      });
}

std::shared_ptr<FrameNetwork> dino_middle(const MetricContext& context, bool official,
                                          bool antialias) {
  return transformer_middle(context, "dino", official, antialias);
}

std::shared_ptr<FrameNetwork> dinov2_middle(const MetricContext& context, bool official,
                                            bool antialias) {
  return transformer_middle(context, "dinov2", official, antialias);
}

at::Tensor prepared_middle_of_image(const at::Tensor& picture) {
  const auto [height, width] =
      vision::short_side_size(picture.size(1), picture.size(2), kMiddleShort);
  const auto small = vision::resized_pillow(picture, height, width, Filter::bicubic);
  return vision::normalised(vision::center_crop(small, kMiddleSide) / 255.0, vision::kImageNet);
}

std::shared_ptr<FrameNetwork> clip_middle(const MetricContext& context, const std::string& name) {
  const auto& file = context.file(name);
  return context.features.get<FrameNetwork>("clip tower, middle of short side", file.sha256, [&] {
    const auto tower = std::make_shared<ClipTower>(Weights::open(file.path, context.device));
    const auto side = tower->side();  // 224 in the official files
    return std::make_shared<FrameNetwork>(
        [side](const at::Tensor& levels) {
          const auto small = vision::resized_short(levels, side, {Filter::bicubic, false});
          return vision::normalised(vision::center_crop(small, side) / 255, vision::kClip);
        },
        [tower](const at::Tensor& frames) { return (*tower)(frames); }, context.device);
  });
}

}  // namespace svi::vbench
