#include "svi/plugin/component.hpp"

namespace svi {

Component::~Component() = default;

}  // namespace svi
