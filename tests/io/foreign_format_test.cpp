#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/io/weight_files.hpp"

namespace svi {
namespace {

using std::string_literals::operator""s;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string message_of(const std::string& path) {
  try {
    open_weights(path);
  } catch (const IoError& error) {
    return error.what();
  }
  return "accepted";
}

std::string padded(std::string bytes, std::size_t size = 600) {
  bytes.resize(std::max(bytes.size(), size), '\x01');
  return bytes;
}

/// A zip archive with one stored, empty entry of that name.
std::string zip_of(const std::string& name) {
  const auto number = [](std::size_t value, int width) {
    std::string bytes;
    for (int i = 0; i < width; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
    return bytes;
  };
  const auto local =
      "PK\x03\x04"s + std::string(22, '\0') + number(name.size(), 2) + number(0, 2) + name;
  const auto entry =
      "PK\x01\x02"s + std::string(24, '\0') + number(name.size(), 2) + std::string(16, '\0') + name;
  return local + entry + "PK\x05\x06"s + std::string(4, '\0') + number(1, 2) + number(1, 2) +
         number(entry.size(), 4) + number(local.size(), 4) + number(0, 2);
}

std::string tar_of(const std::string& member) {
  std::string bytes(1024, '\0');
  bytes.replace(0, member.size(), member);
  bytes.replace(257, 5, "ustar");
  return bytes;
}

struct Foreign {
  const char* name;
  std::string bytes;
  const char* what;    // it is
  const char* remedy;  // and what helps
};

const std::vector<Foreign>& foreigners() {
  static const std::vector<Foreign> kAll = {
      {"gguf", padded("GGUF\x03\0\0\0"s), "GGUF", "take the .safetensors or .pth file"},
      {"ggml", padded("lmgg"), "GGUF", "take the .safetensors"},
      {"hdf5", padded("\x89HDF\r\n\x1a\n"), "HDF5", "save the tensors as safetensors"},
      {"npy", padded("\x93NUMPY\x01\0"s), "one NumPy array", "as safetensors"},
      {"npz", zip_of("weight.npy"), "NumPy archive (.npz)", "save the arrays as safetensors"},
      {"keras", zip_of("model.weights.h5"), "Keras model", "PyTorch weights"},
      {"wrapped", zip_of("a/model.safetensors"), "zip archive around a/model.safetensors",
       "unpack it"},
      {"onnx", padded("\x08\x07\x12\x07pytorch\x1a\x03"s), "ONNX", "take the PyTorch weights"},
      {"onnx_graph", padded("\x08\x08\x3a\x80"s), "ONNX", "take the PyTorch weights"},
      {"tflite", padded("\x1c\0\0\0TFL3"s), "TensorFlow Lite", "PyTorch weights"},
      {"tar", tar_of("sys_info"), "PyTorch's oldest format", "torch.save(torch.load(f"},
      {"packed", tar_of("folder/model.safetensors"), "packed archive", "unpack it"},
      {"gzip", padded("\x1f\x8b\x08\0"s), "packed archive", "unpack it"},
      {"zstd", padded("\x28\xb5\x2f\xfd"), "packed archive", "unpack it"},
      {"seven", padded("7z\xbc\xaf\x27\x1c"), "packed archive", "unpack it"},
      {"pickle", padded("\x80\x04\x95\x10\0\0\0\0\0\0\0}"s), "bare pickle, which could run code",
       "torch.save({name: tensor}, f)"},
      {"pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:ab12\nsize 28577120000\n",
       "Git LFS pointer, not the file itself of 28577120000 bytes", "git lfs pull"},
      {"page", "\xef\xbb\xbf\n  <!DOCTYPE html>\n<html><head><title>Sign in</title>",
       "a web page, not weights", "download the file again"},
      {"page2", "<html lang=\"en\"><body>404</body></html>", "a web page",
       "download the file again"},
      {"xml", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML",
       "download the weights again"},
      {"json", R"({"error":"Access to model is restricted"})",
       "JSON text, not weights; it begins: {\"error\":\"Access to model",
       "download the file again"},
      {"text", "Entry not found", "text, not weights; it begins: Entry not found",
       "download the file again"},
      {"zeros", std::string(4096, '\0'), "begins with zeros only", "fetch it again"},
      {"png", padded("\x89PNG\r\n\x1a\n"), "a picture", "name the file of the model"},
      {"film",
       padded("\0\0\0\x20"
              "ftypisom"s),
       "a picture or a film", "name the file of the model"},
      {"program",
       padded("\x7f"
              "ELF\x02"),
       "a program", "name the file of the model"}};
  return kAll;
}

TEST(ForeignFormat, IsNamedWithItsRemedyUnderAnyFileName) {
  const TemporaryFolder folder;
  for (const auto& foreign : foreigners()) {
    for (const auto* ending : {".safetensors", ".pth", ".bin", ".gguf", ""}) {
      const auto path = folder / (std::string(foreign.name) + ending);
      write_bytes(path, foreign.bytes);
      EXPECT_THAT(message_of(path),
                  AllOf(HasSubstr(path), HasSubstr(foreign.what), HasSubstr(foreign.remedy)));
    }
  }
}

TEST(ForeignFormat, IsNamedByTheReaderOfOneContainerToo) {
  for (const auto& foreign : foreigners()) {
    const auto refusal = [&]() -> std::string {
      try {
        SafetensorsFile::parse(foreign.bytes, "x.safetensors");
      } catch (const IoError& error) {
        return error.what();
      }
      return "accepted";
    }();
    EXPECT_THAT(refusal, AllOf(HasSubstr("x.safetensors"), HasSubstr(foreign.what)));
    const auto of_pth = [&]() -> std::string {
      try {
        parse_pth_weights(foreign.bytes, "x.pth");
      } catch (const IoError& error) {
        return error.what();
      }
      return "accepted";
    }();
    EXPECT_THAT(of_pth, AllOf(HasSubstr("x.pth"), HasSubstr(foreign.what)));
  }
}

TEST(ForeignFormat, AnEmptyFileIsADownloadThatDidNotFinish) {
  const TemporaryFolder folder;
  for (const auto* ending : {".safetensors", ".pth"}) {
    write_bytes(folder / (std::string("empty") + ending), "");
    EXPECT_THAT(message_of(folder / (std::string("empty") + ending)),
                HasSubstr("download did not"));
  }
}

TEST(ForeignFormat, OfAFileInAFolderWithoutWeightsIsTold) {
  const TemporaryFolder folder;
  write_bytes(folder / "notes.txt", "notes");
  EXPECT_THAT(message_of(folder.path()), HasSubstr("holds no weights"));
  write_bytes(folder / "wan.gguf", padded("GGUF"));
  EXPECT_THAT(message_of(folder.path()),
              AllOf(HasSubstr("holds no weights"), HasSubstr("; its wan.gguf is GGUF")));
}

TEST(ForeignFormat, NoControlCharacterOfATextReachesTheMessage) {
  const TemporaryFolder folder;
  write_bytes(folder / "x.pth", "an error\tof a server \x7f");
  write_bytes(folder / "y.pth", "an error\tof a server");
  EXPECT_THAT(message_of(folder / "x.pth"), Not(HasSubstr("\x7f")));
  EXPECT_THAT(message_of(folder / "y.pth"), HasSubstr("an error<U+0009>of a server"));
}

TEST(ForeignFormat, APipeIsRefusedWithoutWaitingForAWriter) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "x.safetensors").c_str(), 0600), 0);
  EXPECT_THAT(message_of(folder / "x.safetensors"), HasSubstr("is not a file"));
}

TEST(WeightFiles, TheBytesDecideWhichReaderAFileIsForNotItsEnding) {
  const TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", {{"a", at::ones({2})}});
  std::filesystem::copy_file(folder / "a.safetensors", folder / "a.pth");
  EXPECT_EQ(WeightFiles::open(folder / "a.pth").container, "safetensors");
  std::filesystem::copy_file(SVI_SOURCE_DIR "/tests/data/io/pth/good_module.pth",
                             folder / "b.safetensors");
  const auto weights = WeightFiles::open(folder / "b.safetensors");
  EXPECT_EQ(weights.container, "pth");
  EXPECT_EQ(weights.tensors.size(), 2u);
}

}  // namespace
}  // namespace svi
