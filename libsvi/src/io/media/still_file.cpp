#include "still_file.hpp"

extern "C" {
#include <libavutil/crc.h>
}

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace svi {
namespace {

using std::string_view;
using namespace std::string_view_literals;

constexpr auto kCutShort = "is cut short; copy it again";

std::uint8_t byte(string_view bytes, std::size_t place) {
  return static_cast<std::uint8_t>(bytes[place]);
}

/// The unsigned number of `size` bytes at `place`; nothing beyond the end.
std::optional<std::uint32_t> number(string_view bytes, std::size_t place, std::size_t size,
                                    bool big_endian) {
  if (place > bytes.size() || bytes.size() - place < size) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto next = byte(bytes, place + (big_endian ? i : size - 1 - i));
    value = value << 8 | next;
  }
  return value;
}

/// One entry of a TIFF directory.
struct TiffEntry {
  std::uint32_t tag, type, count;
  std::size_t place;  // of its value field
};

/// The first directory of a TIFF file, or of an EXIF block, which has the same form.
class TiffDirectory {
 public:
  explicit TiffDirectory(string_view bytes) : bytes_(bytes) {
    if (!bytes.starts_with("II*\0"sv) && !bytes.starts_with("MM\0*"sv)) return;
    big_endian_ = bytes[0] == 'M';
    const auto at = get(4, 4);
    if (!at) return;
    const auto count = get(*at, 2);
    if (!count) return;
    first_ = std::size_t{*at} + 2;
    count_ = *count;
    valid_ = first_ + std::size_t{12} * count_ <= bytes.size();
  }

  bool valid() const { return valid_; }

  std::optional<TiffEntry> find(std::uint32_t tag) const {
    for (std::uint32_t i = 0; valid_ && i < count_; ++i) {
      const auto place = first_ + std::size_t{12} * i;
      if (get(place, 2) == tag)
        return TiffEntry{tag, *get(place + 2, 2), *get(place + 4, 4), place + 8};
    }
    return std::nullopt;
  }

  /// Value number `index` of an entry of 2-byte or 4-byte numbers.
  std::optional<std::uint32_t> value(const TiffEntry& entry, std::uint32_t index) const {
    const std::size_t size = entry.type == 3 ? 2 : entry.type == 4 ? 4 : 0;
    if (size == 0 || index >= entry.count) return std::nullopt;
    std::size_t start = entry.place;
    if (size * entry.count > 4) {
      const auto elsewhere = get(entry.place, 4);
      if (!elsewhere) return std::nullopt;
      start = *elsewhere;
    }
    return get(start + size * index, size);
  }

  Orientation orientation() const {
    const auto entry = find(274);
    return orientation_of_exif(entry ? value(*entry, 0).value_or(1) : 1);
  }

 private:
  std::optional<std::uint32_t> get(std::size_t place, std::size_t size) const {
    return number(bytes_, place, size, big_endian_);
  }

  string_view bytes_;
  bool big_endian_ = false, valid_ = false;
  std::size_t first_ = 0;
  std::uint32_t count_ = 0;
};

Orientation exif_orientation(string_view block) {
  if (block.starts_with("Exif\0\0"sv)) block.remove_prefix(6);
  return TiffDirectory(block).orientation();
}

/// Where the data of a JPEG's scan ends: at the next marker that is no part of it.
std::size_t end_of_scan(string_view bytes, std::size_t place) {
  for (; place + 1 < bytes.size(); ++place) {
    const auto code = byte(bytes, place + 1);
    const bool in_data = code == 0 || code == 0xff || (code >= 0xd0 && code <= 0xd7);
    if (byte(bytes, place) == 0xff && !in_data) return place;
  }
  return bytes.size();
}

void walk_jpeg(string_view bytes, StillFile& file) {
  bool oriented = false;
  for (std::size_t place = 2; place + 1 < bytes.size();) {
    const auto code = byte(bytes, place + 1);
    if (byte(bytes, place) != 0xff || code == 0 || code == 0xff) {
      ++place;  // padding, or bytes that belong nowhere
      continue;
    }
    if (code == 0xd9) return;  // end of image
    if (code == 0x01 || (code >= 0xd0 && code <= 0xd8)) {
      place += 2;  // markers without a body
      continue;
    }
    const auto length = number(bytes, place + 2, 2, true);
    if (!length || bytes.size() - place - 2 < std::max(*length, 2u)) break;
    const auto body = bytes.substr(place + 4, std::max(*length, 2u) - 2);
    if (code == 0xe1 && !oriented && body.starts_with("Exif\0\0"sv)) {
      file.orientation = exif_orientation(body);
      oriented = true;
    }
    place += 2 + std::max(*length, 2u);
    if (code == 0xda) place = end_of_scan(bytes, place);  // start of scan
  }
  file.problem = kCutShort;
}

void walk_png(string_view bytes, StillFile& file) {
  const AVCRC* table = av_crc_get_table(AV_CRC_32_IEEE_LE);
  for (std::size_t place = 8;;) {
    const auto length = number(bytes, place, 4, true);
    if (!length || bytes.size() - place < std::size_t{12} + *length) {
      file.problem = kCutShort;
      return;
    }
    const auto typed = bytes.substr(place + 4, std::size_t{4} + *length);  // type and body
    const auto sum = ~av_crc(table, 0xffffffffu,
                             reinterpret_cast<const std::uint8_t*>(typed.data()), typed.size());
    if (number(bytes, place + 8 + *length, 4, true) != sum) {
      file.problem = "is damaged: a checksum does not match; copy it again";
      return;
    }
    if (typed.starts_with("IEND")) return;
    if (typed.starts_with("eXIf")) file.orientation = exif_orientation(typed.substr(4));
    if (typed.starts_with("acTL")) file.demuxer = "apng";
    place += std::size_t{12} + *length;
  }
}

void walk_webp(string_view bytes, StillFile& file) {
  const auto size = number(bytes, 4, 4, false);
  if (!size || bytes.size() < std::size_t{8} + *size) {
    file.problem = kCutShort;
    return;
  }
  for (std::size_t place = 12; place + 8 <= bytes.size();) {
    const auto name = bytes.substr(place, 4);
    const std::size_t length = *number(bytes, place + 4, 4, false);
    if (bytes.size() - place - 8 < length) {
      file.problem = kCutShort;
      return;
    }
    if (name == "ANIM" || name == "ANMF") {
      file.problem =
          "is an animated WebP, which is not read; save one frame as PNG, or the animation as GIF "
          "or mp4";
      return;
    }
    if (name == "EXIF") file.orientation = exif_orientation(bytes.substr(place + 8, length));
    place += 8 + length + length % 2;
  }
}

void walk_tiff(string_view bytes, StillFile& file) {
  const TiffDirectory directory(bytes);
  if (!directory.valid()) {
    file.problem = kCutShort;
    return;
  }
  file.orientation = directory.orientation();
  constexpr std::uint32_t kStrips = 273, kStripSizes = 279, kTiles = 324, kTileSizes = 325;
  for (const auto& [where, how_much] : {std::pair{kStrips, kStripSizes}, {kTiles, kTileSizes}}) {
    const auto places = directory.find(where), sizes = directory.find(how_much);
    if (!places || !sizes) continue;
    for (std::uint32_t i = 0; i < std::min(places->count, sizes->count); ++i) {
      const auto place = directory.value(*places, i), size = directory.value(*sizes, i);
      if (!place || !size || std::size_t{*place} + *size > bytes.size()) {
        file.problem = kCutShort;
        return;
      }
    }
  }
}

/// The place behind a GIF's sub-blocks; nothing where they do not end.
std::optional<std::size_t> behind_blocks(string_view bytes, std::size_t place) {
  while (place < bytes.size()) {
    const std::size_t length = byte(bytes, place);
    place += 1 + length;
    if (length == 0) return place;
  }
  return std::nullopt;
}

std::size_t gif_colours(std::uint8_t flags) {
  return (flags & 0x80) != 0 ? std::size_t{3} << ((flags & 7) + 1) : 0;
}

void walk_gif(string_view bytes, StillFile& file) {
  file.problem = kCutShort;
  if (bytes.size() < 13) return;
  std::size_t place = 13 + gif_colours(byte(bytes, 10));
  // A file that ends without its last byte, but between two blocks, is whole.
  for (bool any = false;;) {
    if (place == bytes.size() ? any : place < bytes.size() && bytes[place] == ';') {
      file.problem.clear();
      return;
    }
    if (place >= bytes.size()) return;
    std::optional<std::size_t> next;
    if (bytes[place] == '!') {
      next = behind_blocks(bytes, place + 2);
    } else if (bytes[place] == ',' && place + 10 < bytes.size()) {
      next = behind_blocks(bytes, place + 11 + gif_colours(byte(bytes, place + 9)));
      any = true;
    }
    if (!next) return;
    place = *next;
  }
}

void walk_bmp(string_view bytes, StillFile& file) {
  const auto size = number(bytes, 2, 4, false), pixels = number(bytes, 10, 4, false);
  // Some programs leave the size empty, or count other parts; the place of the pixels is certain.
  if (!size || !pixels || *pixels >= bytes.size() || (*size > bytes.size() && *size > *pixels))
    file.problem = kCutShort;
}

/// Pictures in containers that FFmpeg takes for something else.
std::string foreign_picture(string_view bytes) {
  if (bytes.size() < 12 || bytes.substr(4, 4) != "ftyp") return {};
  const auto brand = bytes.substr(8, 4);
  for (const auto heif : {"heic", "heix", "heim", "heis", "hevc", "mif1", "msf1", "avif", "avis"}) {
    if (brand == heif)
      return "is a HEIC or AVIF picture, which is not read; save it as PNG or JPEG";
  }
  return {};
}

}  // namespace

StillFile inspect_still(string_view bytes) {
  StillFile file;
  if (bytes.starts_with("\xff\xd8\xff"sv)) {
    file.demuxer = "jpeg_pipe";
    walk_jpeg(bytes, file);
  } else if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) {
    file.demuxer = "png_pipe";
    walk_png(bytes, file);
  } else if (bytes.starts_with("RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP") {
    file.demuxer = "webp_pipe";
    walk_webp(bytes, file);
  } else if (bytes.starts_with("II*\0"sv) || bytes.starts_with("MM\0*"sv)) {
    file.demuxer = "tiff_pipe";
    walk_tiff(bytes, file);
  } else if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) {
    file.demuxer = "gif";
    walk_gif(bytes, file);
  } else if (bytes.starts_with("BM") && bytes.size() >= 18 && bytes.substr(6, 4) == "\0\0\0\0"sv) {
    file.demuxer = "bmp_pipe";
    walk_bmp(bytes, file);
  } else {
    file.problem = foreign_picture(bytes);
  }
  return file;
}

bool ends_within_a_box(string_view bytes) {
  static constexpr std::array<string_view, 9> kParts = {"ftyp", "styp", "moov", "moof", "mdat",
                                                        "sidx", "mfra", "free", "skip"};
  const auto known = [&](std::size_t place) {
    return std::find(kParts.begin(), kParts.end(), bytes.substr(place + 4, 4)) != kParts.end();
  };
  if (bytes.size() < 8 || !known(0)) return false;
  bool in_fragments = false;
  std::size_t place = 0;
  while (place + 8 <= bytes.size()) {
    in_fragments = in_fragments || bytes.substr(place + 4, 4) == "moof";
    std::uint64_t size = *number(bytes, place, 4, true);
    if (size == 1 && place + 16 <= bytes.size()) {
      size = std::uint64_t{*number(bytes, place + 8, 4, true)} << 32 |
             *number(bytes, place + 12, 4, true);
    }
    if (size < 8) return false;  // 0: up to the end of the file
    if (size > bytes.size() - place) return known(place);
    place += size;
  }
  return in_fragments && place < bytes.size();
}

}  // namespace svi
