#pragma once

#include <cstdint>
#include <string>

namespace svi {

/// A number of `size` bytes, the highest first or last.
inline std::string bytes_of_number(std::uint64_t value, int size, bool big_endian) {
  std::string bytes;
  for (int i = 0; i < size; ++i) {
    const int place = big_endian ? size - 1 - i : i;
    bytes += static_cast<char>(value >> (8 * place) & 0xff);
  }
  return bytes;
}

/// An EXIF block, or TIFF header, with the orientation as its only entry.
inline std::string exif_block(int orientation, bool big_endian) {
  const auto n = [&](std::uint64_t value, int size) {
    return bytes_of_number(value, size, big_endian);
  };
  return (big_endian ? "MM" : "II") + n(42, 2) + n(8, 4) + n(1, 2) + n(274, 2) + n(3, 2) + n(1, 4) +
         n(static_cast<std::uint64_t>(orientation), 2) + n(0, 2) + n(0, 4);
}

inline std::uint32_t crc_of(const std::string& bytes) {
  std::uint32_t sum = 0xffffffffu;
  for (const char c : bytes) {
    sum ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (0xedb88320u & (0u - (sum & 1u)));
  }
  return ~sum;
}

inline std::string png_chunk(const std::string& type, const std::string& body) {
  return bytes_of_number(body.size(), 4, true) + type + body +
         bytes_of_number(crc_of(type + body), 4, true);
}

inline std::string riff_chunk(const std::string& type, const std::string& body) {
  return type + bytes_of_number(body.size(), 4, false) + body + std::string(body.size() % 2, '\0');
}

/// The bytes of a JPEG, PNG or WebP (plain, as ffmpeg writes it) of the given size with an EXIF
/// block put in.
inline std::string with_exif(const std::string& bytes, const std::string& block, int width,
                             int height) {
  if (bytes.substr(1, 3) == "PNG")
    return bytes.substr(0, 33) + png_chunk("eXIf", block) + bytes.substr(33);  // behind IHDR
  if (bytes.substr(8, 4) == "WEBP") {
    const auto n = [](std::uint64_t value, int size) {
      return bytes_of_number(value, size, false);
    };
    const auto body = "WEBP" +
                      riff_chunk("VP8X", n(8, 4) + n(static_cast<std::uint64_t>(width - 1), 3) +
                                             n(static_cast<std::uint64_t>(height - 1), 3)) +
                      bytes.substr(12) + riff_chunk("EXIF", block);
    return "RIFF" + n(body.size(), 4) + body;
  }
  const auto body = std::string("Exif\0\0", 6) + block;
  return bytes.substr(0, 2) + "\xff\xe1" + bytes_of_number(body.size() + 2, 2, true) + body +
         bytes.substr(2);
}

/// An uncompressed TIFF of RGB rows with an orientation.
inline std::string tiff_file(const std::string& rgb, int width, int height, int orientation,
                             bool big_endian) {
  const auto n = [&](std::uint64_t value, int size) {
    return bytes_of_number(value, size, big_endian);
  };
  const auto entry = [&](int tag, std::uint64_t value) {
    return n(static_cast<std::uint64_t>(tag), 2) + n(4, 2) + n(1, 4) + n(value, 4);
  };
  const auto small = [&](int tag, int value) {
    return n(static_cast<std::uint64_t>(tag), 2) + n(3, 2) + n(1, 4) +
           n(static_cast<std::uint64_t>(value), 2) + n(0, 2);
  };
  const auto start = 8 + rgb.size() + rgb.size() % 2;
  const std::uint64_t depths = start + 2 + 12 * 10 + 4;
  std::string file = (big_endian ? "MM" : "II") + n(42, 2) + n(start, 4) + rgb;
  file.resize(start, '\0');
  file += n(10, 2) + entry(256, static_cast<std::uint64_t>(width)) +
          entry(257, static_cast<std::uint64_t>(height)) + n(258, 2) + n(3, 2) + n(3, 4) +
          n(depths, 4) + small(259, 1) + small(262, 2) + entry(273, 8) + small(274, orientation) +
          small(277, 3) + entry(278, static_cast<std::uint64_t>(height)) + entry(279, rgb.size()) +
          n(0, 4);
  for (int i = 0; i < 3; ++i) file += n(8, 2);
  return file;
}

}  // namespace svi
