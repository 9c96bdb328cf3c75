#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// What a .pth, .pt or .bin file of torch.save holds, or a TorchScript archive of torch.jit.save:
/// its objects count as dicts of their attributes, so that names are those of its state_dict.
struct PthContent {
  NamedTensors tensors;              // in the order of the file; nested dicts are joined by '.'
  std::vector<std::string> ignored;  // names of values that are no tensors
};

/// Maps such a file and reads its pickle by the restricted reader; tensors share the mapping. Nests
/// (state_dict, model_state_dict, model, module) around all tensors are taken off; where tensors
/// stand in several nests, as weights beside an optimiser's state, each keeps its nest's name.
/// Throws IoError naming the file and what is wrong or not allowed.
PthContent open_pth(const std::filesystem::path& path);

/// The same over bytes in memory, which are copied.
PthContent parse_pth(std::string_view bytes, const std::string& name);

}  // namespace svi
