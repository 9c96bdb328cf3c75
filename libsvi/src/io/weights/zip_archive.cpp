#include "io/weights/zip_archive.hpp"

#include <algorithm>
#include <optional>

#include "io/weights/safetensors_header.hpp"
#include "svi/core/check.hpp"

// The format: PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.3.
namespace svi {
namespace {

using safetensors::shown;

constexpr std::uint32_t kEndMark = 0x06054b50, kEnd64Mark = 0x06064b50, kLocator64Mark = 0x07064b50,
                        kEntryMark = 0x02014b50, kLocalMark = 0x04034b50;
constexpr std::uint64_t kMostEntries = 1'000'000, kLongestName = 4096;

/// Little-endian numbers at checked places.
class Bytes {
 public:
  Bytes(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  std::uint64_t number(std::uint64_t at, unsigned width) const {
    if (at > bytes_.size() || bytes_.size() - at < width) {
      raise<IoError>(file_, ": damaged or cut short: its directory points beyond its ",
                     bytes_.size(), " bytes");
    }
    std::uint64_t value = 0;
    for (unsigned i = width; i-- > 0;)
      value = value << 8 | static_cast<unsigned char>(bytes_[static_cast<std::size_t>(at) + i]);
    return value;
  }
  std::uint32_t mark(std::uint64_t at) const { return static_cast<std::uint32_t>(number(at, 4)); }
  std::string_view text(std::uint64_t at, std::uint64_t length) const {
    if (length > 0) number(at + length - 1, 1);
    return bytes_.substr(at, length);
  }
  std::uint64_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
  const std::string& file_;
};

struct Directory {
  std::uint64_t entries = 0, begin = 0, size = 0;
};

std::uint64_t find_end(const Bytes& bytes, const std::string& file) {
  constexpr std::uint64_t kRecord = 22, kLongestComment = 65535;
  const auto size = bytes.size();
  if (size >= kRecord) {
    const auto first = size - std::min(size, kRecord + kLongestComment);
    for (auto at = size - kRecord;; --at) {
      if (bytes.mark(at) == kEndMark && at + kRecord + bytes.number(at + 20, 2) == size) return at;
      if (at == first) break;
    }
  }
  raise<IoError>(file,
                 ": not a zip archive as torch.save writes them, or cut short; compare its size ",
                 "with the original's, or download it again");
}

Directory find_directory(const Bytes& bytes, const std::string& file) {
  const auto end = find_end(bytes, file);
  auto disk = bytes.number(end + 4, 2) | bytes.number(end + 6, 2);
  Directory directory{bytes.number(end + 10, 2), bytes.number(end + 16, 4),
                      bytes.number(end + 12, 4)};
  auto limit = end;
  if (end >= 20 && bytes.mark(end - 20) == kLocator64Mark) {
    const auto end64 = bytes.number(end - 12, 8);
    if (end64 > bytes.size() || bytes.mark(end64) != kEnd64Mark)
      raise<IoError>(file, ": damaged: its zip64 record is not where it should be");
    disk = bytes.number(end64 + 16, 4) | bytes.number(end64 + 20, 4);
    directory = {bytes.number(end64 + 32, 8), bytes.number(end64 + 48, 8),
                 bytes.number(end64 + 40, 8)};
    limit = end64;
  }
  if (disk != 0) raise<IoError>(file, ": is one part of an archive in several parts");
  if (directory.entries > kMostEntries)
    raise<IoError>(file, ": claims ", directory.entries, " entries, more than any checkpoint has");
  if (directory.begin > limit || directory.size > limit - directory.begin)
    raise<IoError>(file, ": damaged or cut short: its directory lies beyond its end");
  return directory;
}

/// A name that stays within the archive.
bool plain(std::string_view name) {
  if (name.empty() || name.size() > kLongestName || name.front() == '/') return false;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\\' || c == ':' || c == 0x7f) return false;
  }
  for (std::size_t at = 0; at <= name.size();) {
    const auto slash = std::min(name.find('/', at), name.size());
    if (name.substr(at, slash - at) == "..") return false;
    at = slash + 1;
  }
  return true;
}

/// Sizes and place of an entry; those that do not fit 32 bits stand in the zip64 field.
struct Place {
  std::uint64_t unpacked = 0, packed = 0, local = 0;
};

Place place_of(const Bytes& bytes, std::uint64_t at, std::uint64_t extra, std::uint64_t extra_size,
               const std::string& where) {
  constexpr std::uint64_t kElsewhere = 0xffffffff;
  Place place{bytes.number(at + 24, 4), bytes.number(at + 20, 4), bytes.number(at + 42, 4)};
  const auto end = extra + extra_size;
  for (auto field = extra; field + 4 <= end;) {
    const auto id = bytes.number(field, 2), size = bytes.number(field + 2, 2);
    auto next = field + 4;
    field = next + size;
    if (field > end) raise<IoError>(where, "its extra fields are damaged");
    if (id != 1) continue;
    for (auto* value : {&place.unpacked, &place.packed, &place.local}) {
      if (*value != kElsewhere) continue;
      if (next + 8 > field) raise<IoError>(where, "its zip64 field is too short");
      *value = bytes.number(next, 8);
      next += 8;
    }
  }
  return place;
}

}  // namespace

ZipArchive::ZipArchive(std::string_view archive, const std::string& file)
    : bytes_(archive), file_(file) {
  const Bytes bytes(archive, file);
  const auto directory = find_directory(bytes, file);
  auto at = directory.begin;
  struct Range {
    std::uint64_t begin, end;
    std::size_t entry;
  };
  std::vector<Range> ranges;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    if (at + 46 > directory.begin + directory.size || bytes.mark(at) != kEntryMark)
      raise<IoError>(file, ": damaged: its directory ends after ", i, " of ", directory.entries,
                     " entries");
    const auto name_size = bytes.number(at + 28, 2), extra_size = bytes.number(at + 30, 2),
               comment_size = bytes.number(at + 32, 2);
    const std::string name(bytes.text(at + 46, name_size));
    const auto where = cat(file, ": entry '", shown(name), "': ");
    if (!plain(name)) raise<IoError>(where, "its name leads out of the archive or is no name");
    if ((bytes.number(at + 8, 2) & 1U) != 0) raise<IoError>(where, "is encrypted");
    const bool compressed = bytes.number(at + 10, 2) != 0;
    const auto place = place_of(bytes, at, at + 46 + name_size, extra_size, where);
    if (!compressed && place.packed != place.unpacked)
      raise<IoError>(where, "is stored, but says that ", place.packed, " bytes become ",
                     place.unpacked);
    if (place.local >= directory.begin || bytes.mark(place.local) != kLocalMark)
      raise<IoError>(where, "does not begin where the directory says");
    const auto local_name = bytes.number(place.local + 26, 2);
    if (bytes.text(place.local + 30, local_name) != name)
      raise<IoError>(where, "has another name in front of its bytes");
    const auto begin = place.local + 30 + local_name + bytes.number(place.local + 28, 2);
    if (begin > directory.begin || place.packed > directory.begin - begin)
      raise<IoError>(where, "its ", place.packed, " bytes lie beyond the end of the file");
    if (!index_.emplace(name, entries_.size()).second) raise<IoError>(where, "occurs twice");
    ranges.push_back({place.local, begin + place.packed, entries_.size()});
    entries_.push_back({name, begin, begin + place.packed, compressed});
    at += 46 + name_size + extra_size + comment_size;
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].begin < ranges[i - 1].end)
      raise<IoError>(file, ": entry '", shown(entries_[ranges[i].entry].name), "': overlaps '",
                     shown(entries_[ranges[i - 1].entry].name), "'");
  }
}

std::string_view ZipArchive::bytes(const ZipEntry& entry) const {
  if (entry.compressed) {
    raise<IoError>(file_, ": entry '", shown(entry.name),
                   "': is compressed; torch.save stores entries as they are");
  }
  return bytes_.substr(entry.begin, entry.end - entry.begin);
}

const ZipEntry* ZipArchive::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

}  // namespace svi
