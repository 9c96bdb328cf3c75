#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// A broken contract, or the root of every error the toolkit reports.
class SVI_EXPORT Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  ~Error() override;
};

/// The user's configuration is wrong: names file, line, key and remedy. Thrown alike on all ranks.
class SVI_EXPORT ConfigError : public Error {
 public:
  using Error::Error;
  ~ConfigError() override;
};

/// A file could not be read or written as asked: names the file and what is wrong in it.
class SVI_EXPORT IoError : public Error {
 public:
  using Error::Error;
  ~IoError() override;
};

/// A plugin was refused: names the file and the reason.
class SVI_EXPORT PluginError : public Error {
 public:
  using Error::Error;
  ~PluginError() override;
};

/// Joins values into one text with the stream operator.
template <class... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws `E` with the joined parts as its text.
template <class E = Error, class... Parts>
[[noreturn]] void raise(const Parts&... parts) {
  throw E(cat(parts...));
}

}  // namespace svi

/// A contract of the caller: always checked, throws `svi::Error` with the condition and the parts.
#define SVI_CHECK(condition, ...)                                                   \
  do {                                                                              \
    if (!(condition)) ::svi::raise("check failed: " #condition " | ", __VA_ARGS__); \
  } while (false)

/// An invariant of our own in hot code: compiled out in release.
#ifdef NDEBUG
#define SVI_ASSERT(condition) ((void)0)
#else
#define SVI_ASSERT(condition)                                                        \
  do {                                                                               \
    if (!(condition))                                                                \
      ::svi::raise("broken invariant: " #condition " at ", __FILE__, ":", __LINE__); \
  } while (false)
#endif
