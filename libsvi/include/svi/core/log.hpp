#pragma once

#include <string>
#include <string_view>

#include "svi/core/check.hpp"
#include "svi/core/export.hpp"

namespace svi {

enum class Severity { debug, info, warning, error };  // how much a line matters

/// Where log lines go; call once from `main`. Rank 0 shows info and above, other ranks warnings and
/// above, on stderr; with a directory, everything also goes to `<directory>/rank-0003.log`.
SVI_EXPORT void start_logging(int rank, Severity console, const std::string& directory = {});

/// Writes one line with rank, channel and run time. Never throws.
SVI_EXPORT void log(Severity severity, std::string_view channel, std::string_view text) noexcept;

}  // namespace svi

#define SVI_DEBUG(channel, ...) ::svi::log(::svi::Severity::debug, channel, ::svi::cat(__VA_ARGS__))
#define SVI_INFO(channel, ...) ::svi::log(::svi::Severity::info, channel, ::svi::cat(__VA_ARGS__))
#define SVI_WARN(channel, ...) \
  ::svi::log(::svi::Severity::warning, channel, ::svi::cat(__VA_ARGS__))
