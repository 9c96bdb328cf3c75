#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/ffmpeg_program.hpp"
#include "support/picture_files.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/video_reader.hpp"

namespace svi {
namespace {

using testing::HasSubstr;

constexpr int kHeight = 24, kWidth = 40;

/// A picture without any symmetry, uint8 [3, 24, 40].
at::Tensor picture() {
  const auto y = at::arange(kHeight).view({1, kHeight, 1});
  const auto x = at::arange(kWidth).view({1, 1, kWidth});
  const auto c = at::arange(3).view({3, 1, 1});
  return (y * 7 + x * 3 + c * 20).remainder(256).to(at::kByte).contiguous();
}

/// What a viewer shows of a picture stored with this orientation, written out pixel by pixel from
/// the table of the EXIF standard.
at::Tensor shown(const at::Tensor& stored, int orientation) {
  const auto H = stored.size(1), W = stored.size(2);
  const bool crossed = orientation >= 5;
  const auto height = crossed ? W : H, width = crossed ? H : W;
  auto result = at::empty({3, height, width}, at::kByte);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      std::int64_t row = y, column = x;
      switch (orientation) {
        case 2:
          column = W - 1 - x;
          break;
        case 3:
          row = H - 1 - y, column = W - 1 - x;
          break;
        case 4:
          row = H - 1 - y;
          break;
        case 5:
          row = x, column = y;
          break;
        case 6:
          row = H - 1 - x, column = y;
          break;
        case 7:
          row = H - 1 - x, column = W - 1 - y;
          break;
        case 8:
          row = x, column = W - 1 - y;
          break;
      }
      result.select(1, y).select(1, x).copy_(stored.select(1, row).select(1, column));
    }
  }
  return result;
}

class Still : public testing::Test {
 protected:
  /// `picture()` as a file of this ending, by the ffmpeg program.
  std::string file(const std::string& name, const std::string& options = "") {
    const auto rgb = picture().permute({1, 2, 0}).contiguous();
    write_bytes(folder_ / "raw.rgb",
                {reinterpret_cast<const char*>(rgb.const_data_ptr()), rgb.nbytes()});
    ffmpeg(cat("-f rawvideo -pix_fmt rgb24 -s ", kWidth, "x", kHeight, " -i ", folder_ / "raw.rgb",
               " -frames:v 1 ", options, " -f ", container(name), " ", folder_ / name));
    return folder_ / name;
  }
  static std::string container(const std::string& name) {
    return name.ends_with(".webp") ? "webp" : name.ends_with(".gif") ? "gif" : "image2 -update 1";
  }
  std::string error_reading(const std::string& bytes, const std::string& name) {
    write_bytes(folder_ / name, bytes);
    try {
      read_image(folder_ / name);
    } catch (const IoError& error) {
      EXPECT_THAT(error.what(), HasSubstr(name));
      return error.what();
    }
    return "no IoError";
  }
  std::vector<std::string> notes_of(const std::string& path) {
    VideoReader reader(path);
    reader.next();
    std::vector<std::string> texts;
    for (const auto& note : reader.notes()) texts.push_back(note.text);
    return texts;
  }

  TemporaryFolder folder_;
};

TEST_F(Still, StandsUprightByItsExifOrientation) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {"a.png", "-pix_fmt rgb24"}, {"a.webp", "-lossless 1 -pix_fmt bgra"}, {"a.jpg", "-q:v 1"}};
  for (const auto& [name, options] : kinds) {
    const auto plain = bytes_of_file(file(name, options));
    const auto stored = read_image(folder_ / name);
    if (name != "a.jpg") {
      EXPECT_TRUE(stored.equal(picture())) << name;
    }
    for (int orientation = 1; orientation <= 8; ++orientation) {
      const auto path = folder_ / cat("turned", orientation, name);
      write_bytes(path,
                  with_exif(plain, exif_block(orientation, orientation % 2 == 0), kWidth, kHeight));
      EXPECT_TRUE(read_image(path).equal(shown(stored, orientation))) << name << " " << orientation;
      const auto info = VideoReader(path).info();
      EXPECT_EQ(info.width, orientation >= 5 ? kHeight : kWidth) << name << " " << orientation;
      EXPECT_EQ(info.height, orientation >= 5 ? kWidth : kHeight) << name << " " << orientation;
    }
  }
}

TEST_F(Still, OfTiffStandsUprightToo) {
  const auto rgb = picture().permute({1, 2, 0}).contiguous();
  const std::string bytes(reinterpret_cast<const char*>(rgb.const_data_ptr()), rgb.nbytes());
  for (int orientation = 0; orientation <= 9; ++orientation) {
    for (const bool big_endian : {false, true}) {
      const auto path = folder_ / "a.tiff";
      write_bytes(path, tiff_file(bytes, kWidth, kHeight, orientation, big_endian));
      EXPECT_TRUE(read_image(path).equal(shown(picture(), orientation % 9 == 0 ? 1 : orientation)))
          << orientation;
    }
  }
}

TEST_F(Still, TakesItsOrientationFromTheFirstExifBlockAmongOthers) {
  const auto plain = bytes_of_file(file("a.jpg", "-q:v 1"));
  const auto stored = read_image(folder_ / "a.jpg");
  const std::string xmp = "http://ns.adobe.com/xap/1.0/";
  const auto segment = "\xff\xe1" + bytes_of_number(xmp.size() + 2, 2, true) + xmp;
  const auto turned =
      with_exif(with_exif(plain, exif_block(3, true), 0, 0), exif_block(6, true), 0, 0);
  write_bytes(folder_ / "b.jpg", turned.substr(0, 2) + segment + turned.substr(2));

  EXPECT_TRUE(read_image(folder_ / "b.jpg").equal(shown(stored, 6)));
}

TEST_F(Still, WithADamagedExifBlockIsTakenAsItIs) {
  const auto plain = bytes_of_file(file("a.png", "-pix_fmt rgb24"));
  for (const auto& block : {std::string("II*"), std::string("II*\0\xff\xff\xff\xff", 8),
                            std::string("nonsense"), exif_block(6, true).substr(0, 17)}) {
    write_bytes(folder_ / "b.png", with_exif(plain, block, kWidth, kHeight));
    EXPECT_TRUE(read_image(folder_ / "b.png").equal(picture()));
  }
}

TEST_F(Still, IsReadByWhatItHoldsWhateverItIsCalled) {
  for (const std::string name : {"a.PNG", "a.jpg", "a.JPEG", "a.Webp", "a.bmp", "a", "a.txt"}) {
    ffmpeg(cat("-i ", file("right.png", "-pix_fmt rgb24"), " -f image2 -c:v png -update 1 ",
               folder_ / name));
    EXPECT_TRUE(read_image(folder_ / name).equal(picture())) << name;
  }
  std::filesystem::copy_file(file("b.jpg"), folder_ / "c.PNG");
  EXPECT_TRUE(read_image(folder_ / "c.PNG").equal(read_image(folder_ / "b.jpg")));
}

TEST_F(Still, ShowsWhiteWhereItIsTransparent) {
  // Red, hidden in the left half, three fifths there on the right; the same as PNG, WebP, TIFF.
  const std::string source =
      "-f lavfi -i \"color=red:s=40x24:d=1,format=rgba,geq=r=255:g=0:b=0:a='if(lt(X,20),0,153)'\" "
      "-frames:v 1 ";
  for (const std::string name : {"a.png", "a.webp", "a.tiff"}) {
    ffmpeg(source + (name == "a.webp" ? "-lossless 1 -pix_fmt bgra " : "-pix_fmt rgba ") +
           (folder_ / name));
    const auto image = read_image(folder_ / name);
    EXPECT_TRUE(image.slice(2, 0, 20).eq(255).all().item<bool>()) << name;
    const auto right = image.slice(2, 20);
    EXPECT_TRUE(right[0].eq(255).all().item<bool>()) << name;
    EXPECT_TRUE(right.slice(0, 1).eq(102).all().item<bool>()) << name;  // 255 (1 - 153/255)
    EXPECT_THAT(notes_of(folder_ / name), testing::ElementsAre(HasSubstr("shown over white")));
  }
  EXPECT_THAT(notes_of(file("b.png", "-pix_fmt rgba")), testing::IsEmpty());
}

TEST_F(Still, OfGreyAndPaletteWithTransparencyShowsWhiteToo) {
  const std::string alpha = "a='if(lt(X,20),0,255)'";
  std::string pixels;
  for (int i = 0; i < kWidth * kHeight; ++i)
    pixels += {40, static_cast<char>(i % 40 < 20 ? 0 : 255)};
  write_bytes(folder_ / "grey.raw", pixels);
  ffmpeg("-f rawvideo -pix_fmt ya8 -s 40x24 -i " + (folder_ / "grey.raw") + " -frames:v 1 " +
         (folder_ / "grey.png"));
  ffmpeg("-f lavfi -i \"color=red:s=40x24:d=1,format=rgba,geq=r=200:g=40:b=40:" + alpha +
         ",split[a][b];[a]palettegen=reserve_transparent=1[p];[b][p]paletteuse\" -frames:v 1 " +
         (folder_ / "palette.png") + " -frames:v 1 " + (folder_ / "palette.gif"));
  for (const std::string name : {"grey.png", "palette.png", "palette.gif"}) {
    const auto image = read_image(folder_ / name);
    EXPECT_TRUE(image.slice(2, 0, 20).eq(255).all().item<bool>()) << name;
    EXPECT_LE(image[1].slice(1, 20).to(at::kInt).sub(40).abs().max().item<int>(), 1) << name;
  }
}

TEST_F(Still, OfSixteenBitsIsRoundedToTheNearestLevel) {
  ffmpeg(
      "-f lavfi -i \"color=black:s=256x256:d=1,format=gray16,geq=lum='X*256+Y'\" -frames:v 1 "
      "-pix_fmt gray16be " +
      (folder_ / "grey.png"));
  ffmpeg("-i " + (folder_ / "grey.png") + " -pix_fmt rgb48be " + (folder_ / "rgb.png"));
  const auto exact = at::arange(65536, at::kDouble)
                         .view({256, 256})
                         .transpose(0, 1)
                         .div(257)
                         .round()
                         .to(at::kByte);

  for (const std::string name : {"grey.png", "rgb.png"}) {
    const auto difference =
        read_image(folder_ / name).to(at::kInt) - exact.to(at::kInt).unsqueeze(0);
    EXPECT_EQ(difference.abs().max().item<int>(), 0) << name;
  }
}

TEST_F(Still, ThatIsDamagedOrCutShortIsRefused) {
  const std::vector<std::pair<std::string, std::string>> kinds = {{"a.jpg", "-q:v 2"},
                                                                  {"a.png", "-pix_fmt rgb24"},
                                                                  {"a.webp", "-quality 90"},
                                                                  {"b.webp", "-lossless 1"},
                                                                  {"a.tiff", "-pix_fmt rgb24"},
                                                                  {"a.bmp", "-pix_fmt bgr24"},
                                                                  {"a.gif", ""},
                                                                  {"a.ppm", "-pix_fmt rgb24"}};
  for (const auto& [name, options] : kinds) {
    const auto bytes = bytes_of_file(file(name, options));
    for (int part = 1; part < 20; ++part) {
      const auto kept = bytes.size() * static_cast<std::size_t>(part) / 20;
      EXPECT_NE(error_reading(bytes.substr(0, kept), "cut" + name), "no IoError")
          << name << ": " << kept << " of " << bytes.size() << " bytes";
    }
    EXPECT_EQ(error_reading(bytes, "whole" + name), "no IoError");
  }
  auto damaged = bytes_of_file(folder_ / "a.png");
  damaged[damaged.size() / 2] ^= 0x10;
  EXPECT_THAT(error_reading(damaged, "b.png"), HasSubstr("a checksum does not match"));
  EXPECT_THAT(error_reading(bytes_of_file(folder_ / "a.jpg").substr(0, 700), "b.jpg"),
              HasSubstr("cut short"));
}

TEST_F(Still, OfAKindThatIsNotReadIsNamed) {
  const auto frame = bytes_of_file(file("a.webp", "-lossless 1"));
  const auto n = [](std::uint64_t value, int size) { return bytes_of_number(value, size, false); };
  const auto body = "WEBP" + riff_chunk("VP8X", n(2, 4) + n(kWidth - 1, 3) + n(kHeight - 1, 3)) +
                    riff_chunk("ANIM", n(0, 6)) +
                    riff_chunk("ANMF", n(0, 6) + n(kWidth - 1, 3) + n(kHeight - 1, 3) + n(100, 3) +
                                           n(0, 1) + frame.substr(12));

  EXPECT_THAT(error_reading("RIFF" + n(body.size(), 4) + body, "moving.webp"),
              HasSubstr("is an animated WebP"));
  EXPECT_THAT(error_reading(std::string("\0\0\0\x18"
                                        "ftypheic\0\0\0\0mif1heic",
                                        24),
                            "a.heic"),
              HasSubstr("is a HEIC or AVIF picture"));
  EXPECT_THAT(error_reading("", "empty.png"), HasSubstr("is empty"));
}

TEST_F(Still, OfAnAnimationIsItsFirstPicture) {
  ffmpeg("-f lavfi -i \"color=red:s=40x24:d=1:r=10,format=rgb24,geq=r='20*N':g=0:b=0\" " +
         (folder_ / "a.gif"));
  ffmpeg("-f lavfi -i \"color=red:s=40x24:d=1:r=10,format=rgb24,geq=r='20*N':g=0:b=0\" -f apng " +
         (folder_ / "b.png"));

  for (const std::string name : {"a.gif", "b.png"}) {
    EXPECT_LE(read_image(folder_ / name).max().item<int>(), 1) << name;
    EXPECT_EQ(read_video(folder_ / name).size(0), 10) << name;
  }
}

TEST_F(Still, WithPixelsThatAreNotSquareIsResizedToSquareOnes) {
  const auto wide = read_image(file("a.png", "-vf setsar=2 -pix_fmt rgb24"));
  EXPECT_EQ(wide.sizes(), (at::IntArrayRef{3, kHeight, 2 * kWidth}));
  EXPECT_THAT(notes_of(folder_ / "a.png"), testing::ElementsAre(HasSubstr("2:1 wide")));
  EXPECT_EQ(VideoReader(folder_ / "a.png").info().width, 2 * kWidth);

  const auto high = read_image(file("b.jpg", "-vf setsar=1/2"));
  EXPECT_EQ(high.sizes(), (at::IntArrayRef{3, 2 * kHeight, kWidth}));
}

}  // namespace
}  // namespace svi
