#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <svi/metric/feature_store.hpp>
#include <svi/metric/metric_context.hpp>

namespace svi::vbench {

/// A network that looks at frames one by one, with the preparation that comes
/// first.
class FrameNetwork final : public FeatureExtractor {
 public:
  using Stage = std::function<at::Tensor(const at::Tensor&)>;
  /// `prepare` turns levels [B, 3, H, W], fp32 0 .. 255, into what `look` turns
  /// into [B, D].
  FrameNetwork(Stage prepare, Stage look, at::Device device, std::int64_t frames_at_once = 8);

  at::Tensor prepared(const at::Tensor& levels) const { return prepare_(levels); }
  at::Tensor look(const at::Tensor& ready) const { return look_(ready); }
  at::Device device() const { return device_; }

 private:
  at::Tensor compute(const at::Tensor& frames) override;

  Stage prepare_, look_;
  at::Device device_;
  std::int64_t frames_at_once_;  // bounds memory; never more than one clip
};

/// A network and how a picture of 8 bits [3, H, W] becomes its input [3, h, w].
struct ImageNetwork {
  std::shared_ptr<FrameNetwork> frames;
  at::Tensor (*prepare_image)(const at::Tensor& picture) = nullptr;
};

/// Official files. `given` is the path that an option of that key gives
/// instead; its content is not checked.
MetricFile dino_file(const std::string& given, const std::string& option = "file");
MetricFile dinov2_file(const std::string& given, const std::string& option = "file");
MetricFile clip_b32_file(const std::string& given, const std::string& option = "file");
MetricFile clip_l14_file(const std::string& given, const std::string& option = "file");
MetricFile aesthetic_head_file(const std::string& given, const std::string& option = "head");
MetricFile musiq_file(const std::string& given, const std::string& option = "file");

/// Of the next three, `official` is whether no option names the file: its sizes must then be those
/// of the network meant.
///
/// DINO's ViT-B/16 on whole frames: short side 224, bilinear without antialias,
/// no crop.
std::shared_ptr<FrameNetwork> dino_whole(const MetricContext& context, bool official);
/// DINO's ViT-B/16 on the middle: short side 256, bicubic, 224 x 224 of it.
std::shared_ptr<FrameNetwork> dino_middle(const MetricContext& context, bool official,
                                          bool antialias);
/// The same with DINOv2's ViT-B/14.
std::shared_ptr<FrameNetwork> dinov2_middle(const MetricContext& context, bool official,
                                            bool antialias);
/// CLIP's image tower of the file of that name ("clip_b32", "clip_l14") on the
/// middle: short side 224, bicubic without antialias, 224 x 224 of it.
std::shared_ptr<FrameNetwork> clip_middle(const MetricContext& context, const std::string& name);

/// A picture of 8 bits prepared for dino_middle(), as Pillow resizes it: always
/// with antialias.
at::Tensor prepared_middle_of_image(const at::Tensor& picture);

/// The sizes of the middle: a picture's short side before the crop, and the
/// crop's side.
inline constexpr std::int64_t kMiddleShort = 256, kMiddleSide = 224;

}  // namespace svi::vbench
