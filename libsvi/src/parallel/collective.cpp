#include "svi/parallel/collective.hpp"

namespace svi {

Collective::~Collective() = default;

}  // namespace svi
