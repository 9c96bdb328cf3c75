#pragma once

// What the two .cpp files of Hdf5File share; private to io/.

#include <hdf5.h>

#include <cstdint>
#include <string>

#include "hdf5_detail.hpp"
#include "io/descriptor.hpp"
#include "svi/io/hdf5_file.hpp"

namespace svi {

struct Hdf5File::Impl {
  std::string path;
  hdf5::File file;
  Handle<Descriptor> target;  // where a file of one rank goes that is being made
  bool parallel = false;
  bool first = true;        // rank 0 of its group
  std::int64_t needed = 0;  // bytes of the datasets made so far

  template <class Code>
  Code check(Code code, const std::string& what) const {
    return hdf5::check(code, path, what, needed);
  }
  hdf5::Dataset dataset(const std::string& name) const;
  hdf5::Space space_of(const hdf5::Dataset& dataset, const std::string& name) const;
  hdf5::Object object(const std::string& name) const;
};

namespace hdf5 {

/// A string type: variable length, or fixed with room for `length` bytes.
Type variable_string();
Type fixed_string(std::size_t length);

}  // namespace hdf5

}  // namespace svi
