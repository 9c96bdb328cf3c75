#pragma once

// How a part says where its blocks belong; private to io/.

#include <string>
#include <vector>

#include "svi/io/result_file.hpp"

namespace svi {

/// One block of a part.
struct PartEntry {
  std::string file;     // of the part
  std::string dataset;  // in the part
  ResultPlace place;
  c10::ScalarType dtype = c10::ScalarType::Undefined;
};

/// All blocks of a part, sorted by dataset. Throws IoError for a file that is no part.
std::vector<PartEntry> read_entries(const std::string& file);

/// Gives a scale the values that an attribute holds; false if that is no list.
bool scale_values(const AttributeValue& value, ResultScale& scale);

}  // namespace svi
