// svi-generate: weights, an image and prompts to a film of any length.
//
// Sample runs:
//   svi-generate
//   svi-generate --model Wan2.1-I2V-14B-480P --lora svi-shot.safetensors --image cat.png --prompt
//   "a cat walks" svi-generate --model pocket --clips 200 --out long.mp4 --resume

#include <iostream>

#include "arguments.hpp"
#include "films.hpp"
#include "svi/core/abi.hpp"
#include "svi/core/log.hpp"
#include "svi/experiment/builtins.hpp"
#include "svi/parallel/program.hpp"
#include "svi/parallel/stop.hpp"
#include "svi/plugin/loader.hpp"

namespace {

void list(const svi::Registry& registry) {
  for (const auto* kind : {"method", "sampler", "guidance"}) {
    const auto found = registry.kinds().find(kind);
    if (found == registry.kinds().end()) continue;
    for (const auto& [name, registration] : found->second)
      std::cout << kind << "  " << name << "  " << registration.summary << "\n";
  }
}

int run(const svi::generate::Arguments& a, const svi::Communicator& world) {
  const bool speaks = world.rank() == 0;
  if (a.help || a.version) {
    if (speaks && a.help) std::cout << svi::generate::usage();
    if (speaks && !a.help) std::cout << "svi " << svi::kVersion << "\nABI: " << svi::kAbi << "\n";
    return 0;
  }
  svi::Registry registry;
  svi::register_builtins(registry);
  for (const auto& name : a.plugins) svi::load_plugin(svi::find_plugin(name), registry);
  if (a.list_variants) {
    svi::load_installed_plugins(registry);
    if (speaks) list(registry);
    return 0;
  }
  svi::catch_stop_signals();
  return svi::generate::make_films(a, registry, world);
}

}  // namespace

int main(int argc, char** argv) {
  const auto body = [&](const svi::Communicator& world) {
    const auto arguments = svi::generate::parse_arguments(argc, argv);
    svi::start_logging(world.rank(),
                       arguments.verbose ? svi::Severity::debug : svi::Severity::info);
    return run(arguments, world);
  };
  return svi::run_program({"svi-generate", false, body}, argc, argv);
}
