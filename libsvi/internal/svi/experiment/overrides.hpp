#pragma once

#include <string>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/core/export.hpp"

namespace svi {

/// Sets one option by its path: "section.key" for all arms that do not set it themselves,
/// "arm.NAME.section.key" or "arm.NAME.label" for one arm. Throws ConfigError: not such a path, or
/// an arm that is not there (with those that are).
SVI_EXPORT void set_option(Document& document, const std::string& path, const std::string& value,
                           const std::string& origin);

/// `[arm.NAME]` holds `label` and `section.key = value` lines. Where an arm changes a section's
/// `type`, the base's other keys of that section do not apply to it.
SVI_EXPORT Document apply_arm(const Document& base, const Document::Section& arm);

/// The sizes a document offers, in its order: `[size.NAME]`.
SVI_EXPORT std::vector<std::string> size_names(const Document& document);

/// The document at one of its sizes: the lines of `[size.NAME]`, which are those of an arm or name
/// an arm's options, put over it, every size section gone, and the size recorded in [experiment]
/// size. Unless the size sets experiment.name, it is appended to the name, so that results of two
/// sizes do not collide. Throws ConfigError for a size that is not there (with those that are).
SVI_EXPORT Document apply_size(const Document& document, const std::string& size);

}  // namespace svi
