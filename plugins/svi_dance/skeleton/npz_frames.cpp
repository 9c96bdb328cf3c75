#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>

#include "skeleton/points.hpp"
#include "svi/core/check.hpp"

// Formats: PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16; NumPy's NEP 1.
namespace svi::skeleton {
namespace {

constexpr std::uint64_t kEndMark = 0x06054b50, kEntryMark = 0x02014b50, kLocalMark = 0x04034b50;
constexpr std::size_t kWholeBody = 134;  // DWPose: 18 of the body, 6 of feet, 68 of the face, hands
constexpr std::size_t kLeftToes = 18, kRightToes = 21, kLeftHand = 92, kRightHand = 113;

/// A file's bytes, read at checked places, the lowest first.
class FileBytes {
 public:
  explicit FileBytes(const std::string& path) : path_(path) {
    std::ifstream in(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
    if (!in.good() && !in.eof()) raise<IoError>(path, ": cannot be read");
  }
  std::uint64_t number(std::uint64_t at, unsigned width) const {
    const auto part = text(at, width);
    std::uint64_t value = 0;
    for (auto i = part.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(part[i]);
    return value;
  }
  std::string_view text(std::uint64_t at, std::uint64_t length) const {
    if (at > bytes_.size() || bytes_.size() - at < length)
      raise<IoError>(path_, ": is no .npz file, or a part of it is missing");
    return std::string_view(bytes_).substr(at, length);
  }
  std::uint64_t size() const { return bytes_.size(); }

 private:
  std::string path_, bytes_;
};

/// The bytes of one array: the only one, or that called `keypoints`.
std::string_view chosen_array(const FileBytes& bytes, const std::string& path) {
  constexpr std::uint64_t kRecord = 22, kLongestComment = 65535;
  auto end = bytes.size() >= kRecord ? bytes.size() - kRecord : bytes.size();
  const auto first = end - std::min(end, kLongestComment);
  while (end > first && bytes.number(end, 4) != kEndMark) --end;
  if (bytes.number(end, 4) != kEndMark)
    raise<IoError>(path, ": is no .npz file, or a part of it is missing");
  const auto entries = bytes.number(end + 10, 2);
  auto at = bytes.number(end + 16, 4);
  std::string names;
  for (std::uint64_t i = 0; i < entries; ++i) {
    if (bytes.number(at, 4) != kEntryMark)
      raise<IoError>(path, ": is no .npz file, or a part of it is missing");
    const auto length = bytes.number(at + 28, 2);
    const auto name = bytes.text(at + 46, length);
    if (name == "keypoints.npy" || entries == 1) {
      if (bytes.number(at + 10, 2) != 0)
        raise<IoError>(path,
                       ": is compressed; write it with numpy.savez instead of savez_compressed");
      const auto local = bytes.number(at + 42, 4);
      if (bytes.number(local, 4) != kLocalMark)
        raise<IoError>(path, ": is no .npz file, or a part of it is missing");
      const auto begin = local + 30 + bytes.number(local + 26, 2) + bytes.number(local + 28, 2);
      return bytes.text(begin, bytes.number(at + 24, 4));
    }
    names += (names.empty() ? "" : ", ") + std::string(name);
    at += 46 + length + bytes.number(at + 30, 2) + bytes.number(at + 32, 2);
  }
  raise<IoError>(path, ": has no array `keypoints`, but ", names.empty() ? "none" : names);
}

struct FoundArray {
  std::vector<std::uint64_t> sizes;
  std::vector<double> values;
};

/// What stands behind a key of the header, a Python dict.
std::string_view header_value(std::string_view header, std::string_view key) {
  const auto at = header.find(key);
  return at == std::string_view::npos ? std::string_view() : header.substr(at + key.size());
}

FoundArray parse_array(std::string_view npy, const std::string& path) {
  const auto refuse = [&](const std::string& why) {
    raise<IoError>(path, ": ", why,
                   "; key points are [T, points, 3] of float32 or float64, x, y and "
                   "confidence");
  };
  if (npy.size() < 12 || npy.substr(0, 6) != "\x93NUMPY") refuse("holds no array of NumPy");
  const bool longer = npy[6] > 1;
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(npy[i]));
  };
  const auto length = byte(8) | byte(9) << 8 | (longer ? byte(10) << 16 | byte(11) << 24 : 0);
  const std::size_t begin = (longer ? 12 : 10) + length;
  if (begin > npy.size()) refuse("a part of its array is missing");
  const auto header = npy.substr(0, begin);
  const bool wide = header.find("'<f8'") != std::string_view::npos;
  if (!wide && header.find("'<f4'") == std::string_view::npos)
    refuse("its array is of another type");
  if (header_value(header, "'fortran_order': ").starts_with("True"))
    refuse("its array is in Fortran order");
  FoundArray array;
  auto shape = header_value(header, "'shape': (");
  std::uint64_t count = 1;
  while (!shape.empty() && shape[0] != ')') {
    std::uint64_t size = 0;
    const auto parsed = std::from_chars(shape.data(), shape.data() + shape.size(), size);
    if (parsed.ec != std::errc() || size == 0 || size > 1'000'000'000 / count)
      refuse("its array has an odd shape");
    count *= size;
    array.sizes.push_back(size);
    shape.remove_prefix(static_cast<std::size_t>(parsed.ptr - shape.data()));
    while (!shape.empty() && (shape[0] == ',' || shape[0] == ' ')) shape.remove_prefix(1);
  }
  const std::size_t width = wide ? 8 : 4;
  if (array.sizes.size() != 3 || array.sizes[2] != 3)
    refuse(cat("its array has ", array.sizes.size(), " axes, not [T, points, 3]"));
  if ((npy.size() - begin) / width < count) refuse("a part of its array is missing");
  array.values.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto* from = npy.data() + begin + i * width;
    float narrow = 0;
    if (wide) std::memcpy(&array.values[i], from, width);
    if (!wide) std::memcpy(&narrow, from, width), array.values[i] = static_cast<double>(narrow);
    if (!std::isfinite(array.values[i])) array.values[i] = 0;  // not found
  }
  return array;
}

/// The mean of large and small toe, as sure as the less sure one.
FoundPoint toes_of(const std::vector<FoundPoint>& all, std::size_t first) {
  const auto &large = all[first], &small = all[first + 1];
  return {(large[0] + small[0]) / 2, (large[1] + small[1]) / 2, std::min(large[2], small[2])};
}

FoundPerson person_of_array(const std::vector<FoundPoint>& all) {
  if (all.size() != kWholeBody) return {all, {}, {}};
  const auto part = [&](std::size_t first, std::size_t count) {
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(first);
    return std::vector<FoundPoint>(from, from + static_cast<std::ptrdiff_t>(count));
  };
  FoundPerson person{part(0, 18), part(kLeftHand, kHandPoints), part(kRightHand, kHandPoints)};
  person.body.push_back(toes_of(all, kLeftToes));
  person.body.push_back(toes_of(all, kRightToes));
  return person;
}

}  // namespace

std::vector<FoundFrame> read_npz_frames(const std::string& path) {
  const FileBytes bytes(path);
  const auto array = parse_array(chosen_array(bytes, path), path);
  std::vector<FoundFrame> frames;
  for (std::size_t t = 0; t < array.sizes[0]; ++t) {
    std::vector<FoundPoint> all;
    for (std::size_t i = 0; i < array.sizes[1]; ++i) {
      const auto at = (t * array.sizes[1] + i) * 3;
      all.push_back({array.values[at], array.values[at + 1], array.values[at + 2]});
    }
    frames.push_back({cat(path, ": frame ", t), {person_of_array(all)}});
  }
  return frames;
}

}  // namespace svi::skeleton
