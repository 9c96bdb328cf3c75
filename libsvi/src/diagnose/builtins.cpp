#include "svi/diagnose/builtins.hpp"

#include "svi/diagnose/error_map.hpp"
#include "svi/diagnose/loop_gain.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

void register_diagnose(Registrar& registrar) {
  registrar.add<Diagnostic, LoopGain>(
      "loop_gain", "measures how much of a damage one clip passes on, and the drift that follows");
  registrar.add<Diagnostic, ErrorMap>(
      "error_map", "compares one-step errors with accumulated errors: size, place and frequency");
}

}  // namespace svi
