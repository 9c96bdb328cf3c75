#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <svi/config/option.hpp>
#include <svi/metric/metric_context.hpp>
#include <vector>

#include "networks.hpp"

namespace svi::vbench {

/// Files of DreamSim's ensemble; empty: the official ones in the folder of the
/// weights.
struct DreamSimOptions {
  std::string dino, clip, open_clip, lora, lora_config;

  void describe(OptionVisitor& visit);
  std::vector<MetricFile> needs() const;
};

/// DreamSim's ensemble on frames resized to 224 x 224, bicubic; proportions are
/// not kept.
std::shared_ptr<FrameNetwork> dreamsim_frames(const MetricContext& context, bool antialias);

/// A picture of 8 bits prepared for it, as Pillow resizes.
at::Tensor prepared_dreamsim_of_image(const at::Tensor& picture);

}  // namespace svi::vbench
