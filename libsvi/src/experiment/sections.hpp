#pragma once

#include "svi/config/document.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {

/// Checks every section of a document without arms and fills in every default, by building each
/// component once.
Document complete_document(const Document& document, const Registry& registry);

}  // namespace svi
