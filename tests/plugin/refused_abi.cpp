// A plugin built for another host; its code must never run.
#include <cstdlib>

#include "svi/plugin/plugin.hpp"

extern "C" __attribute__((visibility("default"))) const svi::PluginDescriptor svi_plugin_descriptor;
const svi::PluginDescriptor svi_plugin_descriptor = {svi::kPluginMagic, "svi/0.0 another/1",
                                                     "refused", "0.0.1",
                                                     [](svi::Registrar&) { std::abort(); }};
