#pragma once

#include <functional>
#include <optional>
#include <string>

#include "svi/config/document.hpp"
#include "svi/core/export.hpp"

namespace svi {

/// The text of a file, or nothing where it cannot be read. Called in the same order on every rank.
using ReadText = std::function<std::optional<std::string>(const std::string& path)>;

/// Reads an experiment with all that its `[experiment] base = A.ini, B.ini` brings, bases first.
///
/// Paths are relative to the file that names them; a base may have bases. Sections merge key by
/// key, and every value keeps the file and line that it came from. Where a file gives a section
/// another `type`, the base's keys of that section do not apply. `base` itself is gone from the
/// result, and so are a base's `name` and `question`, which are an experiment's own. An experiment
/// without a `name` is called as its file is, without the ending.
///
/// Throws ConfigError: a file that cannot be read (naming the line that asks for it), a circle, or
/// two bases that set one key to different values where the file itself does not decide.
SVI_EXPORT Document read_with_bases(const std::string& file, const ReadText& read);

}  // namespace svi
