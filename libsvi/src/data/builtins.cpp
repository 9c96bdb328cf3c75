#include "svi/data/builtins.hpp"

#include "svi/data/pocket_world.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

void register_data(Registrar& registrar) {
  registrar.add<ClipSource, PocketWorld>(
      "pocket_world", "procedural scenes of three bands and a moving disc, truth known for ever");
}

}  // namespace svi
