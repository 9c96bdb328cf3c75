#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace svi {

/// One stored file of a zip archive: bytes begin .. end of the archive.
struct ZipEntry {
  std::string name;
  std::uint64_t begin = 0, end = 0;
};

/// The directory of a zip archive in memory (also zip64), of which nothing is unpacked: torch.save
/// stores its entries as they are, so that they can be used in place.
///
/// Own reader, because libraries hand out copies of entries where a mapped 11 GB file must not be
/// copied. Throws IoError naming the entry: compressed or encrypted entries, names that occur twice
/// or lead elsewhere, entries that overlap or leave the file, several disks.
class ZipArchive {
 public:
  ZipArchive(std::string_view bytes, const std::string& file);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// Null if there is none of that name.
  const ZipEntry* find(const std::string& name) const;
  std::string_view bytes(const ZipEntry& entry) const {
    return bytes_.substr(entry.begin, entry.end - entry.begin);
  }

 private:
  std::string_view bytes_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace svi
