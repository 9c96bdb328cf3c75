#include <ATen/ATen.h>

#include <svi/model/extension.hpp>
#include <svi/plugin/plugin.hpp>
#include <vector>

namespace {

/// Adds to all tokens how bright the poses and the image at the end are: films of the test depend
/// on every frame that they are told.
class ToldPictures final : public svi::ModelExtension {
 public:
  using Config = svi::ExtensionOptions;
  explicit ToldPictures(Config config) : ModelExtension(config) {}

 private:
  std::vector<svi::PartRule> do_reads() const override {
    return {{"pose", {svi::kAnySize, 3, svi::kAnySize, svi::kAnySize}},
            {"end", {3, svi::kAnySize, svi::kAnySize}}};
  }
  std::vector<svi::ParameterSpec> do_parameters(const svi::ExtensionHost&) const override {
    return {};
  }
  svi::ExtensionInputs do_begin(const svi::ExtensionPass& pass) const override {
    const auto pose = pass.condition["pose"].flatten(1).mean(1);  // [B]
    const auto end = pass.condition["end"].flatten(1).mean(1);    // [B]
    const auto level = (pose + end).view({pass.batch, 1, 1});
    return {.residual = level.expand({pass.batch, pass.grid.tokens(), host().dim}).contiguous()};
  }
};

}  // namespace

SVI_PLUGIN("told_pictures", "0.1.0", registrar) {
  registrar.add<svi::ModelExtension, ToldPictures>("told_pictures", "reads poses and an end image");
}
