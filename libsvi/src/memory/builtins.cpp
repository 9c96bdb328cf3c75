#include "svi/memory/builtins.hpp"

#include "svi/memory/time_grid.hpp"

namespace svi {

void register_memory(Registrar& registrar) {
  registrar.add<MemoryBank, TimeGridBank>("time_grid", "one buffer of errors per bin of flow time");
}

}  // namespace svi
