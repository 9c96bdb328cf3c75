#pragma once

#include <string>
#include <vector>

#include "svi/model/key_maps.hpp"
#include "svi/model/weights.hpp"

namespace svi::inspect {

/// A network out of a file, for people.
struct Network {
  std::string kind;                                    // "Wan DiT I2V 14B"
  std::vector<std::string> facts;                      // its sizes, a line each
  LoadReport report;                                   // the model's tensors against the file's
  std::string (*place)(const std::string&) = nullptr;  // what an official name is for
};

/// Sizes of the network, and whether it is whole. Throws IoError where its shapes make none.
Network describe(const OfficialWeights& weights);

}  // namespace svi::inspect
