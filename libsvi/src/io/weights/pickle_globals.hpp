#pragma once

#include <cstddef>
#include <string_view>

#include "io/weights/pickle_reader.hpp"

namespace svi::pickle {

/// Bytes of the longest key of a storage and name of a class: each tensor and object has a copy.
inline constexpr std::size_t kLongestName = 4096;

/// Whether a checkpoint of tensors may name this global.
bool known_global(std::string_view module, std::string_view name);
/// Whether classes of this module belong to a TorchScript program; nobody looks at their code.
bool script_class(std::string_view module);
/// FloatStorage, ...: storages of one type.
bool is_storage(std::string_view name);
/// float32, ...: types of elements.
bool is_dtype(std::string_view name);

/// Whether a persistent id is that of a storage: ("storage", type, key, device, elements), and in
/// PyTorch's old format a view, which must be none.
bool is_storage_id(const Value& id);

}  // namespace svi::pickle
