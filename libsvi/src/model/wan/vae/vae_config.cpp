#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "svi/core/check.hpp"
#include "svi/model/wan/vae.hpp"

namespace svi {
namespace {

using Index = std::map<std::string, at::Tensor>;

const at::Tensor& required(const Index& index, const std::string& name, std::int64_t dimensions) {
  const auto found = index.find(name);
  if (found == index.end()) raise<IoError>("not the weights of a Wan VAE: there is no ", name);
  if (found->second.dim() != dimensions) {
    raise<IoError>("not the weights of a Wan VAE: ", name, " has shape ", found->second.sizes());
  }
  return found->second;
}

std::vector<double> stored_statistics(const Index& index, const std::string& name) {
  const auto found = index.find(name);
  if (found == index.end()) return {};
  const auto flat = found->second.to(at::kCPU, at::kDouble).contiguous().flatten();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

}  // namespace

void WanVaeConfig::describe(OptionVisitor& visit) {
  visit(dim, {.key = "dim",
              .help = "channels at full resolution; a multiple of 4",
              .min = 4,
              .max = 4096});
  visit(z_dim, {.key = "z_dim", .help = "channels of the latent", .min = 1, .max = 1024});
  visit(
      dim_mult,
      {.key = "dim_mult", .help = "channels per level, as multiples of dim", .min = 1, .max = 64});
  visit(num_res_blocks, {.key = "num_res_blocks",
                         .help = "residual blocks per level; the decoder has one more",
                         .min = 1,
                         .max = 16});
  visit(temporal_downsample, {.key = "temporal_downsample",
                              .help = "per step to the next level: 1 if it also halves the frames",
                              .min = 0,
                              .max = 1});
  visit(latent_mean, {.key = "latent_mean",
                      .help = "mean of each latent channel; empty: the official values, or 0",
                      .unit = "raw latent"});
  visit(latent_std,
        {.key = "latent_std",
         .help = "standard deviation of each latent channel; empty: the official values, or 1",
         .unit = "raw latent"});
}

std::string WanVaeConfig::problem() const {
  if (dim_mult.empty()) return "dim_mult needs at least one level";
  if (dim_mult.size() > 8) return "dim_mult has more than 8 levels";
  if (temporal_downsample.size() + 1 != dim_mult.size()) {
    return cat("temporal_downsample needs one value per step between levels: ",
               dim_mult.size() - 1);
  }
  for (std::size_t i = 1; i < dim_mult.size(); ++i) {
    if (dim * dim_mult[i] % 2 != 0)
      return "dim * dim_mult must be even: upsampling halves the channels";
  }
  for (const auto* statistics : {&latent_mean, &latent_std}) {
    if (!statistics->empty() && static_cast<std::int64_t>(statistics->size()) != z_dim) {
      return cat("latent_mean and latent_std need ", z_dim, " values each, or none");
    }
  }
  if (std::any_of(latent_std.begin(), latent_std.end(),
                  [](double value) { return !(value > 0); })) {
    return "latent_std must be above 0";
  }
  return {};
}

std::int64_t WanVaeConfig::temporal_stride() const {
  return std::int64_t{1} << std::count_if(temporal_downsample.begin(), temporal_downsample.end(),
                                          [](std::int64_t value) { return value != 0; });
}

std::int64_t WanVaeConfig::spatial_stride() const {
  return std::int64_t{1} << (dim_mult.size() - 1);
}

WanVaeConfig WanVae::infer(const NamedTensors& weights) {
  const Index index(weights.begin(), weights.end());
  WanVaeConfig config;
  config.dim = required(index, "encoder.conv1.weight", 5).size(0);
  config.z_dim = required(index, "conv2.weight", 5).size(0);
  if (config.dim == 0 || config.z_dim == 0)
    raise<IoError>("not the weights of a Wan VAE: a size is 0");
  config.dim_mult.clear();
  config.temporal_downsample.clear();
  std::int64_t blocks = 0, width = 0;
  const auto finish_level = [&] {
    if (blocks == 0)
      raise<IoError>("not the weights of a Wan VAE: a level without residual blocks");
    config.num_res_blocks = std::exchange(blocks, 0);
    config.dim_mult.push_back(width / config.dim);
  };
  for (std::int64_t i = 0;; ++i) {
    const auto prefix = cat("encoder.downsamples.", i, ".");
    if (index.count(prefix + "residual.2.weight") != 0) {
      width = required(index, prefix + "residual.2.weight", 5).size(0);
      ++blocks;
    } else if (index.count(prefix + "resample.1.weight") != 0) {
      finish_level();
      config.temporal_downsample.push_back(index.count(prefix + "time_conv.weight") != 0 ? 1 : 0);
    } else {
      break;
    }
  }
  finish_level();
  config.latent_mean = stored_statistics(index, "latent_mean");
  config.latent_std = stored_statistics(index, "latent_std");
  const auto problem = config.problem();
  if (!problem.empty()) raise<IoError>("not the weights of a Wan VAE: ", problem);
  return config;
}

}  // namespace svi
