#pragma once

// HDF5 handles and error texts; private to io/.

#include <hdf5.h>

#include <cstdint>
#include <string>

#include "svi/core/handle.hpp"

namespace svi::hdf5 {

template <herr_t (*Close)(hid_t)>
struct Traits {
  using Raw = hid_t;
  static Raw null() noexcept { return H5I_INVALID_HID; }
  static void close(Raw raw) noexcept { Close(raw); }
};

using File = Handle<Traits<H5Fclose>>;
using Group = Handle<Traits<H5Gclose>>;
using Object = Handle<Traits<H5Oclose>>;
using Dataset = Handle<Traits<H5Dclose>>;
using Space = Handle<Traits<H5Sclose>>;
using Type = Handle<Traits<H5Tclose>>;
using Attribute = Handle<Traits<H5Aclose>>;
using Properties = Handle<Traits<H5Pclose>>;

/// Throws IoError "FILE: WHAT: the library's reason" for a negative code; returns it otherwise.
/// `needed` is what the file takes, as far as is known, for the message about a full disk.
template <class Code>
Code check(Code code, const std::string& file, const std::string& what, std::int64_t needed = 0);

/// To be called before anything else of HDF5. Stops it from printing its error stack on this
/// thread: check() puts that into the exception.
void start();

[[noreturn]] void fail(const std::string& file, const std::string& what, std::int64_t needed);

template <class Code>
Code check(Code code, const std::string& file, const std::string& what, std::int64_t needed) {
  if (code < 0) fail(file, what, needed);
  return code;
}

}  // namespace svi::hdf5
