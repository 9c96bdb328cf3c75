#include <ATen/ATen.h>

#include <string>
#include <svi/model/extension.hpp>
#include <svi/plugin/plugin.hpp>
#include <vector>

namespace {

/// Two narrow layers behind the cross-attention of every block, beside the model's own:
/// x <- x + up(gelu(down(x))). The second starts at zero, so that a fresh one changes no bit.
class MyComponent final : public svi::ModelExtension {
 public:
  struct Config : svi::ExtensionOptions {
    std::int64_t width = 16;

    void describe(svi::OptionVisitor& visit) {
      visit(width, {.key = "width", .help = "width between the two layers", .min = 1});
      ExtensionOptions::describe(visit);
    }
  };

  explicit MyComponent(Config config) : ModelExtension(config), config_(config) {}

 private:
  static std::string layer(std::int64_t block, const char* name) {
    return "my_component.blocks." + std::to_string(block) + "." + name;
  }

  std::vector<svi::ParameterSpec> do_parameters(const svi::ExtensionHost& host) const override {
    std::vector<svi::ParameterSpec> specs;
    for (std::int64_t i = 0; i < host.layers; ++i) {
      specs.push_back(
          {layer(i, "down") + ".weight", {config_.width, host.dim}, svi::ParameterStart::xavier});
      specs.push_back({layer(i, "down") + ".bias", {config_.width}});
      specs.push_back({layer(i, "up") + ".weight", {host.dim, config_.width}});
      specs.push_back({layer(i, "up") + ".bias", {host.dim}});
    }
    return specs;
  }

  svi::ExtensionInputs do_begin(const svi::ExtensionPass&) const override { return {}; }
  bool do_acts_after_cross_attention(std::int64_t) const override { return true; }
  at::Tensor do_after_cross_attention(const svi::ExtensionBlock& block) const override {
    return linear(at::gelu(linear(block.tokens, layer(block.index, "down"))),
                  layer(block.index, "up"));
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("my_component", "0.1.0", registrar) {
  registrar.add<svi::ModelExtension, MyComponent>("my_component",
                                                  "two narrow layers beside every block");
}
