#include "svi/metric/feature_store.hpp"

#include <c10/core/GradMode.h>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {

FeatureExtractor::~FeatureExtractor() = default;

at::Tensor FeatureExtractor::features(const at::Tensor& frames) {
  const auto [C, T, H, W] = dims<4>(frames, "frames [3, T, H, W]");
  for (const auto& [seen, answer] : known_) {
    if (seen.defined() && seen.is_same(frames)) return answer;
  }
  const c10::NoGradGuard no_gradients;
  const auto answer = compute(frames);
  SVI_CHECK(answer.dim() == 2 && answer.size(0) == T, "features ", answer.sizes(), " of ", T,
            " frames");
  known_[oldest_] = {frames, answer};
  oldest_ = 1 - oldest_;
  return answer;
}

std::shared_ptr<void> FeatureStore::find(const std::string& kind, const std::string& sha256,
                                         std::type_index type,
                                         const std::function<std::shared_ptr<void>()>& make) {
  const auto key = std::make_pair(kind, sha256);
  auto known = networks_.find(key);
  if (known == networks_.end()) known = networks_.emplace(key, Known{type, make()}).first;
  SVI_CHECK(known->second.type == type, "two kinds of networks call themselves '", kind,
            "': ", known->second.type.name(), " and ", type.name());
  return known->second.network;
}

}  // namespace svi
