#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "svi/config/document.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

// Kinds of which a document may hold several: [metric.NAME], [diagnostic.NAME].
inline constexpr std::string_view kMetricPrefix = "metric.";
inline constexpr std::string_view kDiagnosticPrefix = "diagnostic.";  // and [extension.LABEL]

/// The NAMEs of the sections that begin with a prefix, in the document's order.
std::vector<std::string> names_below(const Document& document, std::string_view prefix);

/// Checks every section of a document without arms and fills in every default, by building each
/// component once. A time_grid bank without `bins` or `shift` takes over the sampler's steps.
Document complete_document(const Document& document, const Registry& registry);

/// Warns where the bank's bins are set and are not the sampler's steps: errors are then recalled at
/// flow times that films never visit.
void warn_of_other_grid(const Document& document);

/// Writes an arm's grid into the resolved document where it is another than the base's, so that
/// running it again gives the same bank.
void pin_grid(Document& resolved, const std::string& arm, const Document& completed);

}  // namespace svi
