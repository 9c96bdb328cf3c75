#include "svi/core/check.hpp"

namespace svi {

// Out of line, so that one copy of each typeinfo serves the host and every plugin.
Error::~Error() = default;
ConfigError::~ConfigError() = default;
IoError::~IoError() = default;
PluginError::~PluginError() = default;

}  // namespace svi
