#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

// Kinds of which a document may hold several: [metric.NAME], [diagnostic.NAME].
inline constexpr std::string_view kMetricPrefix = "metric.";
inline constexpr std::string_view kDiagnosticPrefix = "diagnostic.";

/// The NAMEs of the sections that begin with a prefix, in the document's order.
std::vector<std::string> names_below(const Document& document, std::string_view prefix);

/// Checks every section of a document without arms and fills in every default, by building each
/// component once.
Document complete_document(const Document& document, const Registry& registry);

}  // namespace svi
