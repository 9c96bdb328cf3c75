#pragma once

#include <cstdint>

#include "svi/core/abi.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// The one symbol a plugin shows: plain data, checked before any code of the plugin is called.
struct PluginDescriptor {
  std::uint32_t magic;         // kPluginMagic
  const char* abi;             // kAbi it was built with
  const char* name;            // of the plugin
  const char* version;         // of the plugin
  void (*add_to)(Registrar&);  // registers its components
};

inline constexpr std::uint32_t kPluginMagic = 0x53564931;              // "SVI1"
inline constexpr const char* kPluginSymbol = "svi_plugin_descriptor";  // looked up in a library

}  // namespace svi

/// Defines a plugin: `SVI_PLUGIN("name", "0.1.0", registrar) { registrar.add<...>(...); }`
#define SVI_PLUGIN(plugin_name, plugin_version, registrar)                                \
  static void svi_plugin_add_to(::svi::Registrar& registrar);                             \
  extern "C" __attribute__((visibility("default")))                                       \
  const ::svi::PluginDescriptor svi_plugin_descriptor;                                    \
  const ::svi::PluginDescriptor svi_plugin_descriptor = {                                 \
      ::svi::kPluginMagic, ::svi::kAbi, plugin_name, plugin_version, &svi_plugin_add_to}; \
  static void svi_plugin_add_to(::svi::Registrar& registrar)
