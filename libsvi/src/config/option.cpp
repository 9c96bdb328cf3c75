#include "svi/config/option.hpp"

namespace svi {

OptionVisitor::~OptionVisitor() = default;

}  // namespace svi
