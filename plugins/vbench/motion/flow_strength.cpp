#include "vbench/motion/flow_strength.hpp"

#include <ATen/ATen.h>

#include <limits>

namespace svi::vbench {

std::shared_ptr<vision::Raft> shared_raft(const MetricContext& context) {
  const auto& file = context.file("raft");
  return context.features.get<vision::Raft>("raft large", file.sha256, [&] {
    return std::make_shared<vision::Raft>(vision::Weights::open(file.path, context.device));
  });
}

MetricFile raft_things(const std::string& given) {
  return {
      .name = "raft",
      .what = "RAFT, the large network, trained on FlyingChairs and FlyingThings",
      .file = "raft-things.pth",
      .source = "models.zip of https://github.com/princeton-vl/RAFT (BSD-3-Clause), about 21 MB",
      .given = given,
      .option = "file"};
}

double flow_strength(const at::Tensor& flow, double share) {
  const auto lengths = flow.square().sum(0).sqrt_().flatten();  // [H W]
  const auto count = static_cast<std::int64_t>(static_cast<double>(lengths.numel()) * share);
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  const auto longest = std::get<0>(lengths.topk(count, 0, /*largest=*/true, /*sorted=*/false));
  return longest.mean(at::kDouble).item<double>();
}

void give_film(std::size_t quantity, const Mean& mean, MetricSink& sink) {
  if (mean.count == 0) return;
  sink.film(quantity, mean.value());
  sink.film_features(quantity, mean.row(), {});
}

}  // namespace svi::vbench
