#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/io/sound.hpp"

namespace svi {

/// Puts videos one after the other into `target`, without encoding anything again: packets are
/// copied and their times moved on. All must have been written by VideoWriter with equal options.
///
/// With a `sound`, mono or stereo at a rate of AAC's, the film has it from its first frame on: cut
/// at the film's end, silent where it is shorter.
///
/// The file appears whole, index in front; equal parts give equal bytes. `whole` is shown the
/// finished file before it gets its name. Throws IoError naming a part that is missing, broken or
/// of another kind.
SVI_EXPORT void join_videos(const std::vector<std::string>& parts, const std::string& target,
                            const std::function<void(const std::filesystem::path&)>& whole = {},
                            const std::optional<Sound>& sound = {});

}  // namespace svi
