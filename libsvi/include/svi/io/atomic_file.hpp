#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

/// Writes a file that appears under its name complete or not at all: temporary name in the same
/// folder, fsync, rename. Destroyed without `commit`, it leaves nothing behind. One thread at a
/// time.
class SVI_EXPORT AtomicFile {
 public:
  /// Creates the temporary file, and missing parent folders. Throws IoError if that cannot be done.
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Where the bytes go until `commit`; a library that opens files by name may write here instead.
  const std::filesystem::path& temporary() const { return temporary_; }

  /// Appends bytes. Throws IoError, for a full disk too.
  void write(const void* data, std::size_t size);

  /// Forces the bytes to the disk and gives the file its name, replacing an older one. Throws
  /// IoError.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  std::size_t size_ = 0;  // bytes that were to be written so far
};

/// Writes `bytes` as the whole content of `path`, atomically. Throws IoError.
SVI_EXPORT void write_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace svi
