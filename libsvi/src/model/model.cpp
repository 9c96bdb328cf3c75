#include "svi/model/model.hpp"

namespace svi {

VelocityModel::~VelocityModel() = default;

std::string VelocityModel::first_non_finite(const at::Tensor&, const at::Tensor&,
                                            const Condition&) const {
  return {};
}

}  // namespace svi
