#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// Puts videos one after the other into `target`, without encoding anything again: packets are
/// copied and their times moved on. All must have been written by VideoWriter with equal options.
///
/// The file appears whole, index in front; equal parts give equal bytes. `whole` is shown the
/// finished file before it gets its name. Throws IoError naming a part that is missing, broken or
/// of another kind.
SVI_EXPORT void join_videos(const std::vector<std::string>& parts, const std::string& target,
                            const std::function<void(const std::filesystem::path&)>& whole = {});

}  // namespace svi
