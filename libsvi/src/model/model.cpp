#include "svi/model/model.hpp"

namespace svi {

VelocityModel::~VelocityModel() = default;

}  // namespace svi
