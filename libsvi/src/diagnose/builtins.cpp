#include "svi/diagnose/builtins.hpp"

#include "svi/diagnose/error_map.hpp"
#include "svi/diagnose/loop_gain.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

void register_diagnose(Registrar& registrar) {
  registrar.add<Diagnostic, LoopGain>(
      "loop_gain", "how much of a damage one clip hands on, and the drift that follows from it");
  registrar.add<Diagnostic, ErrorMap>(
      "error_map", "one-step errors beside accumulated ones: size, place and frequency");
}

}  // namespace svi
