#include "io/weights/foreign_format.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "io/weights/old_checkpoint.hpp"
#include "io/weights/safetensors_header.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using namespace std::string_view_literals;
using safetensors::shown;

/// Bytes by which a format is known, and the sentence for it.
struct Magic {
  std::size_t at;
  std::string_view bytes;
  const char* text;
};

constexpr const char* kUnpack = "is a packed archive; unpack it and name the weights inside";
constexpr const char* kOldTorch =
    "is of PyTorch's oldest format, a tar archive; it becomes a present one by "
    "torch.save(torch.load(f, weights_only=True), f)";
constexpr const char* kGguf =
    "is GGUF, the quantised format of llama.cpp and stable-diffusion.cpp, which svi does not read; "
    "take the .safetensors or .pth file that it was made from";
constexpr const char* kPicture = "is a picture or a film, not weights; name the file of the model";
constexpr const char* kProgram = "is a program, not weights; name the file of the model";

constexpr Magic kMagics[] = {
    {0, "GGUF"sv, kGguf},
    {0, "FUGG"sv, kGguf},  // on big-endian computers
    {0, "lmgg"sv, kGguf},  // its forerunners: ggml, ggmf, ggjt, ggla
    {0, "fmgg"sv, kGguf},
    {0, "tjgg"sv, kGguf},
    {0, "algg"sv, kGguf},
    {0, "\x89HDF\r\n\x1a\n"sv,
     "is HDF5 (Keras, or a result file), not weights that svi reads; save the tensors as "
     "safetensors"},
    {0, "\x93NUMPY"sv, "is one NumPy array; save the tensors under their names as safetensors"},
    {4, "TFL3"sv, "is a TensorFlow Lite program; take the model's PyTorch weights"},
    {0, "\x1f\x8b"sv, kUnpack},
    {0, "BZh"sv, kUnpack},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     kUnpack},
    {0, "\x28\xb5\x2f\xfd"sv, kUnpack},
    {0, "7z\xbc\xaf\x27\x1c"sv, kUnpack},
    {0, "Rar!\x1a\x07"sv, kUnpack},
    {0, "\x89PNG"sv, kPicture},
    {0, "\xff\xd8\xff"sv, kPicture},
    {0, "GIF8"sv, kPicture},
    {0, "RIFF"sv, kPicture},
    {4, "ftyp"sv, kPicture},
    {0, "\x1a\x45\xdf\xa3"sv, kPicture},
    {0, "%PDF"sv, "is a PDF document, not weights; name the file of the model"},
    {0,
     "\x7f"
     "ELF"sv,
     kProgram},
    {0, "MZ"sv, kProgram}};

bool has(std::string_view bytes, std::size_t at, std::string_view magic) {
  return bytes.size() >= at + magic.size() && bytes.substr(at, magic.size()) == magic;
}

std::uint64_t little(std::string_view bytes, std::size_t at, unsigned width) {
  std::uint64_t value = 0;
  for (unsigned i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

/// Names of the entries at the end of a zip archive; none where it is cut short.
std::vector<std::string_view> zip_names(std::string_view bytes) {
  constexpr std::size_t kTail = 256 << 10, kRecord = 46, kMost = 1000;
  std::vector<std::string_view> names;
  const auto tail = bytes.substr(bytes.size() - std::min(bytes.size(), kTail));
  for (auto at = tail.find("PK\x01\x02"); at != std::string_view::npos && names.size() < kMost;
       at = tail.find("PK\x01\x02", at + 4)) {
    if (tail.size() - at < kRecord) break;
    const auto length = little(tail, at + 28, 2);
    if (tail.size() - at - kRecord < length) break;
    names.push_back(tail.substr(at + kRecord, length));
  }
  return names;
}

std::string zip_text(std::string_view bytes) {
  const auto names = zip_names(bytes);
  const auto ends = [&](std::string_view end) {
    return std::find_if(names.begin(), names.end(),
                        [&](std::string_view name) { return name.ends_with(end); });
  };
  if (names.empty() || ends("data.pkl") != names.end()) return {};  // for its own reader
  if (ends(".npy") != names.end())
    return "is a NumPy archive (.npz); save the arrays as safetensors under the same names";
  if (ends(".weights.h5") != names.end())
    return "is a Keras model; take the model's PyTorch weights";
  if (ends(".mlmodel") != names.end())
    return "is a Core ML package; take the model's PyTorch weights";
  for (const auto end : {".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".gguf"}) {
    if (const auto inside = ends(end); inside != names.end())
      return cat("is a zip archive around ", shown(*inside), "; unpack it and name that file");
  }
  return {};
}

/// The first line of a text, or nothing where the bytes are no text.
std::string_view opening_line(std::string_view bytes) {
  const auto head = bytes.substr(0, 200);
  const bool text = std::all_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 ? byte != 0x7f : c == '\n' || c == '\r' || c == '\t';
  });
  if (!text) return {};
  const auto begin = head.find_first_not_of(" \r\n\t");
  // Pages, pointers and messages begin in plain English, or with a bracket.
  if (begin == std::string_view::npos || static_cast<unsigned char>(head[begin]) > 0x7e) return {};
  return head.substr(begin, head.find('\n', begin) - begin);
}

std::string lower(std::string_view text) {
  std::string low(text);
  for (auto& c : low) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return low;
}

/// Pages, messages and pointers that stand where weights should.
std::string text_format(std::string_view bytes) {
  if (has(bytes, 0, "\xef\xbb\xbf")) bytes.remove_prefix(3);
  const auto line = opening_line(bytes);
  if (line.empty()) return {};
  if (line.starts_with("version https://git-lfs") || line.starts_with("# xet version")) {
    const auto at = bytes.find("\nsize ");
    const auto digits = at == std::string_view::npos
                            ? std::string_view()
                            : bytes.substr(at + 6, bytes.find('\n', at + 6) - at - 6);
    return cat("is a Git LFS pointer, not the file itself",
               digits.empty() ? "" : cat(" of ", shown(digits), " bytes"),
               "; fetch that by git lfs pull, or download it from the model's page");
  }
  const auto low = lower(line);
  for (const auto* tag : {"<!doctype html", "<html", "<head", "<body", "<!--"}) {
    if (low.starts_with(tag))
      return "is a web page, not weights: the link led to a page, often one that asks to log in or "
             "to accept a licence; download the file again";
  }
  if (low.starts_with("<?xml") || low.starts_with("<error"))
    return "is XML, not weights: a server's message or a description of a model; download the "
           "weights again";
  const char* kind = line[0] == '{' || line[0] == '[' ? "JSON text" : "text";
  return cat("is ", kind, ", not weights; it begins: ", shown(line.substr(0, 80)),
             "; download the file again, or name the weights themselves");
}

bool is_tar(std::string_view bytes) { return has(bytes, 257, "ustar"); }

/// Protocol buffers have no mark of their own: the field of the IR version, then a producer's name
/// or the next field.
bool is_onnx(std::string_view bytes) {
  if (bytes.size() < 4 || bytes[0] != 0x08 || bytes[1] < 1 || bytes[1] > 32) return false;
  const auto field = static_cast<unsigned char>(bytes[2]);
  if (field == 0x3a || field == 0x42) return true;  // the graph, or the operators' versions
  const auto length = static_cast<unsigned char>(bytes[3]);
  if (field != 0x12 || length > 64 || bytes.size() < 4U + length) return false;
  const auto name = bytes.substr(4, length);
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool is_empty_space(std::string_view bytes) {
  const auto head = bytes.substr(0, 1024);
  return head.size() >= 64 && head.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace

bool is_zip(std::string_view bytes) {
  return has(bytes, 0, "PK\x03\x04") || has(bytes, 0, "PK\x05\x06");
}

bool is_safetensors(std::string_view bytes) {
  return bytes.size() > 8 && bytes[8] == '{' && little(bytes, 0, 8) <= safetensors::kMaxHeader;
}

std::string foreign_format(std::string_view bytes) {
  if (bytes.empty()) return "is empty: its download did not begin; fetch it again";
  if (is_safetensors(bytes)) return {};
  if (is_zip(bytes)) return zip_text(bytes);
  if (is_old_checkpoint(bytes)) return {};  // for its own reader
  for (const auto& magic : kMagics) {
    if (has(bytes, magic.at, magic.bytes)) return magic.text;
  }
  if (is_tar(bytes)) {
    for (const auto* member : {"sys_info", "pickle", "storages", "tensors"}) {
      if (has(bytes, 0, member)) return kOldTorch;
    }
    return kUnpack;
  }
  if (bytes.size() > 1 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5)
    return "is a bare pickle, which could run code and is not opened; save the tensors by "
           "torch.save({name: tensor}, f) or as safetensors";
  if (is_onnx(bytes))
    return "is ONNX, a program with weights under names of its own; take the PyTorch weights that "
           "it was exported from";
  if (is_empty_space(bytes))
    return "begins with zeros only: its download was not finished; fetch it again";
  return text_format(bytes);
}

}  // namespace svi
