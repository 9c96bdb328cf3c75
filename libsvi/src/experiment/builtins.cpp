#include "svi/experiment/builtins.hpp"

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/data/builtins.hpp"
#include "svi/diagnose/builtins.hpp"
#include "svi/error/builtins.hpp"
#include "svi/guidance/builtins.hpp"
#include "svi/injection/builtins.hpp"
#include "svi/memory/builtins.hpp"
#include "svi/metric/builtins.hpp"
#include "svi/parallel/builtins.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/pretrained/folder_settings.hpp"
#include "svi/sampler/builtins.hpp"
#include "svi/story/builtins.hpp"

namespace svi {

void register_builtins(Registry& registry) {
  Registrar registrar(registry, "built-in");
  register_data(registrar);
  register_diagnose(registrar);
  register_error(registrar);
  register_injection(registrar);
  register_memory(registrar);
  register_metric(registrar);
  register_parallel(registrar);
  register_guidance(registrar);
  register_sampler(registrar);
  register_story(registrar);
  load_default_plugin(registry);
}

std::optional<LoadedPlugin> load_default_plugin(Registry& registry) {
  const auto name = default_folder_config().plugin;
  if (name.empty()) return {};
  try {
    return load_plugin(find_plugin(name), registry);
  } catch (const PluginError& error) {
    SVI_WARN("plugins", error.what());
    return {};
  }
}

void load_installed_plugins(Registry& registry) {
  for (const auto& file : installed_plugins()) {
    try {
      load_plugin(file, registry);
    } catch (const PluginError& error) {
      SVI_WARN("plugins", error.what());
    }
  }
}

}  // namespace svi
