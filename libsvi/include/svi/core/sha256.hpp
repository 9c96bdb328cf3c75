#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

/// SHA-256 of bytes that come piece by piece.
class SVI_EXPORT Sha256 {
 public:
  Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();

  void add(const void* data, std::size_t size);                          // the next bytes
  void add(std::string_view bytes) { add(bytes.data(), bytes.size()); }  // the next bytes
  /// 64 hexadecimal digits; ends the sum.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// SHA-256 of the bytes as 64 hexadecimal digits: identifies plugins and weights in provenance.
SVI_EXPORT std::string sha256_hex(std::string_view bytes);

/// The same of a file's content, read piece by piece. Throws IoError if it cannot be read.
SVI_EXPORT std::string sha256_file(const std::filesystem::path& path);

}  // namespace svi
