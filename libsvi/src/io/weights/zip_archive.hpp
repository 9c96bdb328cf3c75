#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace svi {

/// One file of a zip archive: bytes begin .. end of the archive.
struct ZipEntry {
  std::string name;
  std::uint64_t begin = 0, end = 0;
  bool compressed = false;
};

/// The directory of a zip archive in memory (also zip64), of which nothing is unpacked: torch.save
/// stores its entries as they are, so that they can be used in place. torch.jit.save compresses
/// those of its code: they may be there, but nobody can read them.
///
/// Own reader, because libraries hand out copies of entries where a mapped 11 GB file must not be
/// copied. Throws IoError naming the entry: encrypted entries, names that occur twice or lead
/// elsewhere, entries that overlap or leave the file, several disks.
class ZipArchive {
 public:
  ZipArchive(std::string_view bytes, const std::string& file);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  /// Null if there is none of that name.
  const ZipEntry* find(const std::string& name) const;
  /// What the entry holds; throws IoError naming it if it is compressed.
  std::string_view bytes(const ZipEntry& entry) const;

 private:
  std::string_view bytes_;
  std::string file_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace svi
