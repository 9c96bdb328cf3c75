#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <typeindex>
#include <utility>

#include "svi/core/export.hpp"

namespace svi {

/// A network that turns frames into features, one vector each. Metrics that share one through the
/// FeatureStore see each clip in turn, so features are computed once per clip however many ask.
class SVI_EXPORT FeatureExtractor {
 public:
  virtual ~FeatureExtractor();
  /// Features [T, D] of frames [3, T, H, W] in [0, 1]. Keeps the last two answers: asked again for
  /// the very same tensor, which nobody may have written into, it gives the same answer at once.
  at::Tensor features(const at::Tensor& frames);

 private:
  virtual at::Tensor compute(const at::Tensor& frames) = 0;

  std::array<std::pair<at::Tensor, at::Tensor>, 2> known_;  // frames, features
  std::size_t oldest_ = 0;
};

/// Networks that metrics share, by what they are and by the content of their weights: two metrics
/// that need the same network load it once. One thread.
class SVI_EXPORT FeatureStore {
 public:
  /// The network of this kind on weights of this SHA-256, made by `make` if it is the first time;
  /// it stays as long as the store. `kind` names everything but the weights that decides what is
  /// computed, preparation of frames included: "alexnet/relu5/224". Throws Error where another
  /// `Network` goes by the same kind and weights.
  template <class Network>
  std::shared_ptr<Network> get(const std::string& kind, const std::string& sha256,
                               const std::function<std::shared_ptr<Network>()>& make) {
    return std::static_pointer_cast<Network>(
        find(kind, sha256, typeid(Network), [&] { return std::shared_ptr<void>(make()); }));
  }
  std::size_t size() const { return networks_.size(); }  // networks that are loaded

 private:
  struct Known {
    std::type_index type;
    std::shared_ptr<void> network;
  };

  std::shared_ptr<void> find(const std::string& kind, const std::string& sha256,
                             std::type_index type,
                             const std::function<std::shared_ptr<void>()>& make);

  std::map<std::pair<std::string, std::string>, Known> networks_;
};

}  // namespace svi
