#pragma once

#include <string>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/export.hpp"

namespace svi {

/// One option as text: what --describe, docs/options.md and resolved.ini show.
struct OptionText {
  std::string key, type, value, range, unit, help;  // of one option, as docs/options.md shows them
};

/// The options of a Config in order, with the values it holds now.
SVI_EXPORT std::vector<OptionText> option_texts(const Describe& describe);

/// Aligned plain text for a terminal, and a Markdown table for docs/options.md.
SVI_EXPORT std::string options_as_text(const std::vector<OptionText>& options);
SVI_EXPORT std::string options_as_markdown(const std::vector<OptionText>& options);

/// Writes every option with its present value into `document`'s section: one part of resolved.ini.
SVI_EXPORT void resolve_into(Document& document, const std::string& section,
                             const Describe& describe);

}  // namespace svi
