#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/plugin/registry.hpp"
#include "svi/pretrained/model_folder.hpp"

namespace svi {

/// Prompts to the text context of a model folder: umT5 for official and diffusers folders, a
/// small encoder without a network for those that were trained here.
///
/// What was encoded once is kept, in this object and (umT5) on disk, so that the network is opened
/// only for new prompts. One thread at a time.
class SVI_EXPORT PromptEncoder {
 public:
  struct Config {
    std::int64_t length = 512;                 // L
    std::int64_t dim = 4096;                   // D
    at::Device device = at::Device(at::kCPU);  // of the context
    at::ScalarType dtype = at::kBFloat16;      // umT5 computes in
    std::string copy = {};                     // of the weights, where a file holds several
  };

  /// Opens nothing yet. The registry makes the small encoder that the folder names; throws
  /// ConfigError where it has none of that name.
  PromptEncoder(const ModelFiles& files, const Config& config, const Registry& registry);
  ~PromptEncoder();
  PromptEncoder(PromptEncoder&&) noexcept;

  /// [B, L, D] on the device; zero rows after a prompt's end. Throws IoError where the files are
  /// not those of a text encoder.
  at::Tensor encode(const std::vector<std::string>& prompts);
  /// Warns, once each, of prompts that are longer than what is read of them, and shows where they
  /// are cut; `encode` does so too.
  void warn_of_cuts(const std::vector<std::string>& prompts);
  /// Lets go of the network; a new prompt opens it again.
  void release();
  /// Whether `encode` would have to open the network for one of these.
  bool needs_network(const std::vector<std::string>& prompts) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace svi
