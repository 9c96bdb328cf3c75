#include "picture_bytes.hpp"

#include <ATen/ATen.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "svi/core/check.hpp"
#include "svi/io/video_reader.hpp"

namespace svi {
namespace {

constexpr std::int64_t kSmallestSide = 8, kLargestSide = 16384;  // pixels

struct PictureKind {
  std::string_view ending, type;
};
constexpr std::array<PictureKind, 6> kPictureKinds = {{{".jpg", "image/jpeg"},
                                                       {".png", "image/png"},
                                                       {".webp", "image/webp"},
                                                       {".gif", "image/gif"},
                                                       {".bmp", "image/bmp"},
                                                       {".tiff", "image/tiff"}}};

/// A file for as long as it is looked at.
class PassingFile {
 public:
  PassingFile(std::string_view bytes, std::string_view ending) {
    name_ = (std::filesystem::temp_directory_path() / "svi-picture-XXXXXX").string();
    name_ += ending;
    const int descriptor = mkstemps(name_.data(), static_cast<int>(ending.size()));
    if (descriptor < 0) raise<IoError>(name_, ": cannot be made; is there room on the disk?");
    ::close(descriptor);
    std::ofstream out(name_, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) {
      ::unlink(name_.c_str());
      raise<IoError>(name_, ": cannot be written; is there room on the disk?");
    }
  }
  PassingFile(const PassingFile&) = delete;
  PassingFile& operator=(const PassingFile&) = delete;
  ~PassingFile() { ::unlink(name_.c_str()); }

  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

}  // namespace

std::string picture_ending(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("\xFF\xD8\xFF"sv)) return ".jpg";
  if (bytes.starts_with("\x89PNG\r\n\x1A\n"sv)) return ".png";
  if (bytes.starts_with("RIFF"sv) && bytes.substr(0, 12).ends_with("WEBP"sv)) return ".webp";
  if (bytes.starts_with("GIF8"sv)) return ".gif";
  if (bytes.starts_with("BM"sv)) return ".bmp";
  if (bytes.starts_with("II*\0"sv) || bytes.starts_with("MM\0*"sv)) return ".tiff";
  return {};
}

std::string picture_type(std::string_view ending) {
  for (const auto& kind : kPictureKinds)
    if (kind.ending == ending) return std::string(kind.type);
  return "application/octet-stream";
}

std::string picture_problem(std::string_view bytes) {
  const auto ending = picture_ending(bytes);
  if (ending.empty()) return "is no JPEG, PNG, WebP, TIFF, BMP or GIF picture";
  const PassingFile file(bytes, ending);
  at::Tensor image;  // [3, H, W]
  try {
    image = read_image(file.name());
  } catch (const IoError& error) {
    std::string text = error.what();
    if (text.starts_with(file.name() + ": ")) text.erase(0, file.name().size() + 2);
    return text;
  }
  const auto small = std::min(image.size(1), image.size(2)),
             large = std::max(image.size(1), image.size(2));
  if (small < kSmallestSide || large > kLargestSide) {
    return cat("has ", image.size(2), "x", image.size(1), " pixels; a film starts from ",
               kSmallestSide, " to ", kLargestSide, " on each side");
  }
  return {};
}

}  // namespace svi
